import type { ClientError } from '../client-error.ts';
import type { Runtime } from '../runtime.ts';
import type { Connection, ConnectionPort } from './connection.ts';
import { learnRefusal, type Refusal } from './learn-refusal.ts';

export interface InquiryOptions {
  readonly url: string;
  readonly runtime: Runtime;
  readonly isLastAttempt: boolean;
  /** The reason if the platform has no `fetch` to inquire with. */
  readonly error: ClientError;
  /** The error that the application gets. */
  errorOf(refusal: Refusal): ClientError;
}

/** The reason that was reported last, and after which connection, so that each is reported once. */
const reported = new WeakMap<Connection, string>();

/** Asks by HTTP why no WebSocket opened, and plans the next attempt or gives up by what the response says. */
export async function inquire(
  connection: Connection,
  port: ConnectionPort,
  { url, runtime, isLastAttempt, error, errorOf }: InquiryOptions,
): Promise<void> {
  const { run } = connection;
  const reason = runtime.fetch ? errorOf(await learnRefusal(url, runtime.fetch)) : error;
  if (run !== connection.run || connection.state === 'closed') return;
  if (isLastAttempt || !reason.retry) {
    connection.failed(reason);
    return;
  }
  port.failed(reason);
  const what = `${reason.code} ${connection.connectedAtMs}`;
  if (reported.get(connection) !== what) port.report(reason);
  reported.set(connection, what);
  const { retryAfterMs = 0 } = reason;
  const remainingMs = connection.waitsUntilMs - runtime.monotonicMs();
  connection.waitFor(Math.max(retryAfterMs, remainingMs, 0), reason, retryAfterMs > 0);
}
