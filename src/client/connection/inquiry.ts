import { type ClientError, localError } from '../client-error.ts';
import type { Runtime } from '../runtime.ts';
import type { Connection } from './connection.ts';
import type { Refusal } from './learn-refusal.ts';

export interface InquiryPort {
  readonly url: string;
  readonly runtime: Runtime;
  /** No attempt follows this one. */
  isLastAttempt(): boolean;
  report(error: ClientError): void;
  /** An attempt to connect has failed, or no gateway lets it in. */
  failed(error: ClientError): void;
  /** An attempt to connect has failed, and this is why. */
  attemptFailed(error: ClientError): void;
}

/**
 * Returns what follows where no WebSocket opened: the next attempt, for the reason that the gateway gives by HTTP.
 * Where no attempt follows it asks first, so that `closed` has its reason.
 */
export function inquiry(port: InquiryPort): (connection: Connection, error: ClientError) => void {
  /** What was reported last, and after which success, so that it is reported once. */
  let reported = '';
  return async (connection, error) => {
    const isLastAttempt = port.isLastAttempt();
    if (!isLastAttempt) connection.toReconnecting(error);
    const { run } = connection;
    const { fetch } = port.runtime;
    const refusal = fetch && (await ask(port.url, fetch));
    if (run !== connection.run || connection.state === 'closed') return;
    const reason = refusal?.error ?? error;
    if (isLastAttempt || !reason.retry) {
      connection.failed(reason);
      return;
    }
    port.failed(reason);
    if (refusal) {
      const what = `${reason.code} ${connection.connectedAtMs}`;
      if (reported !== what) port.report(reason);
      reported = what;
      const { retryAfterMs = 0 } = refusal;
      const remainingMs = connection.waitsUntilMs - port.runtime.monotonicMs();
      connection.waitFor(Math.max(retryAfterMs, remainingMs, 0), reason, retryAfterMs > 0);
    }
    port.attemptFailed(reason);
  };
}

/** The code for it is loaded when it is first needed; a network without it has no gateway either. */
async function ask(url: string, get: typeof fetch): Promise<Refusal> {
  try {
    const { learnRefusal } = await import('./learn-refusal.ts');
    return await learnRefusal(url, get);
  } catch (cause) {
    return { error: localError('gateway_unreachable', undefined, cause) };
  }
}
