import type { ClientError } from '../client-error.ts';
import type { Runtime } from '../runtime.ts';
import type { Connection, ConnectionPort } from './connection.ts';
import { learnRefusal, type Refusal } from './learn-refusal.ts';

export interface InquiryOptions {
  readonly url: string;
  readonly runtime: Runtime;
  readonly isLastAttempt: boolean;
  /** What is known without an inquiry: all where the platform has no `fetch`. */
  readonly error: ClientError;
  /** As the application gets it. */
  errorOf(error: Refusal['error']): ClientError;
}

/** What was reported last, and after which success, so that it is reported once. */
const reported = new WeakMap<Connection, string>();

/** No WebSocket opened: the gateway, or what is in its place, says by HTTP why, and that decides what follows. */
export async function inquire(
  connection: Connection,
  port: ConnectionPort,
  { url, runtime, isLastAttempt, error: known, errorOf }: InquiryOptions,
): Promise<void> {
  const { run } = connection;
  const { error, retryAfterMs = 0 } = runtime.fetch
    ? await learnRefusal(url, runtime.fetch)
    : { error: known };
  if (run !== connection.run || connection.state === 'closed') return;
  const reason = errorOf(error);
  if (isLastAttempt || !reason.retry) {
    connection.failed(reason);
    return;
  }
  port.failed?.(reason);
  const what = `${reason.code} ${connection.connectedAtMs}`;
  if (reported.get(connection) !== what) port.report(reason);
  reported.set(connection, what);
  const remainingMs = connection.waitsUntilMs - runtime.monotonicMs();
  connection.waitFor(Math.max(retryAfterMs, remainingMs, 0), reason, retryAfterMs > 0);
  port.attemptFailed(reason);
}
