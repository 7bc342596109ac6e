import type { ClientError } from '../client-error.ts';
import type { Runtime } from '../runtime.ts';
import type { Connection } from './connection.ts';
import { learnRefusal } from './learn-refusal.ts';

export interface InquiryPort {
  readonly url: string;
  readonly runtime: Runtime;
  report(error: ClientError): void;
  /** An attempt to connect has failed, or no gateway lets it in. */
  failed(error: ClientError): void;
  /** An attempt to connect has failed, and this is why. */
  attemptFailed(error: ClientError): void;
}

/** What was reported last, and after which success, so that it is reported once. */
const reported = new WeakMap<Connection, string>();

/** No WebSocket opened: the gateway, or what is in its place, says by HTTP why, and that decides what follows. */
export async function inquire(
  connection: Connection,
  isLastAttempt: boolean,
  port: InquiryPort,
): Promise<void> {
  const { run } = connection;
  const get = port.runtime.fetch as typeof fetch;
  const { error: reason, retryAfterMs = 0 } = await learnRefusal(port.url, get);
  if (run !== connection.run || connection.state === 'closed') return;
  if (isLastAttempt || !reason.retry) {
    connection.failed(reason);
    return;
  }
  port.failed(reason);
  const what = `${reason.code} ${connection.connectedAtMs}`;
  if (reported.get(connection) !== what) port.report(reason);
  reported.set(connection, what);
  const remainingMs = connection.waitsUntilMs - port.runtime.monotonicMs();
  connection.waitFor(Math.max(retryAfterMs, remainingMs, 0), reason, retryAfterMs > 0);
  port.attemptFailed(reason);
}
