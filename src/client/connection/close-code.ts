import { type ClientError, localError } from '../client-error.ts';

/** How a connection ended: the WebSocket close code and its reason. */
export interface ClosedBy {
  readonly code: number;
  readonly reason: string;
}

const unauthorized = 4501;

/**
 * 4500-4999 are final, everything else is worth another attempt. One exception: `unauthorized` is not, where
 * another attempt brings a token that is fresh, or brings the same one in time.
 */
export function mayReconnect(
  closed: ClosedBy,
  tokenMayHelp: boolean,
): { readonly error: ClientError; readonly final: boolean } {
  const { code } = closed;
  const final = code >= 4500 && code <= 4999 && !(code === unauthorized && tokenMayHelp);
  // The gateway gives the name of the code as the reason.
  const why = closed.reason || `close code ${code}`;
  return {
    final,
    error: final
      ? localError('connection_ended', why)
      : localError('connection_failed', `The connection was lost: ${why}`),
  };
}
