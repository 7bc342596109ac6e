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
  /** This file shares no code with the entry. */
  readonly ClientError: typeof ClientError;
}

/** The reason that was reported last, and after which connection, so that each is reported once. */
const reported = new WeakMap<Connection, string>();

/** Errors that another transport may not have. */
const refusesWebSocket = /^(upgrade_failed|http_version)$/;
/** The attempt after which the transport was last changed. What earlier ones learn is out of date. */
const changedAfter = new WeakMap<Connection, number>();

/** Asks by HTTP why no WebSocket opened, and plans the next attempt or gives up by what the response says. */
async function inquire(
  connection: Connection,
  port: ConnectionPort,
  { url, runtime, isLastAttempt, error, ClientError: ErrorClass }: InquiryOptions,
): Promise<void> {
  const { run } = connection;
  const reason = runtime.fetch ? errorOf(ErrorClass, await learnRefusal(url, runtime.fetch)) : error;
  const isOld = run <= (changedAfter.get(connection) ?? 0);
  if (isOld || connection.state === 'closed') return;
  const { code } = reason;
  const refuses = refusesWebSocket.test(code);
  const isLate = run !== connection.run;
  // The application has begun anew, or is connected.
  if (isLate && !(refuses && connection.state === 'reconnecting')) return;
  if (refuses) changedAfter.set(connection, connection.run);
  if (isLate) {
    // Another attempt has begun meanwhile, as each does where the delay is shorter than a request.
    connection.ended({ code: 1006, reason: code }, true, reason);
    return;
  }
  if (isLastAttempt || !reason.retry) {
    connection.failed(reason);
    return;
  }
  port.failed(reason);
  const what = `${code} ${connection.connectedAtMs}`;
  if (reported.get(connection) !== what) port.report(reason);
  reported.set(connection, what);
  const { retryAfterMs = 0 } = reason;
  const remainingMs = connection.waitsUntilMs - runtime.monotonicMs();
  connection.waitFor(Math.max(retryAfterMs, remainingMs, 0), reason, retryAfterMs > 0);
}

/** The gateway's own verdict holds; what another server says, or none, may pass. */
function errorOf(ErrorClass: typeof ClientError, refusal: Refusal): ClientError {
  return new ErrorClass({ retry: true, ...refusal }, 'cause' in refusal ? refusal.cause : undefined);
}

export { inquire as code };
