import { closeTable } from '../../errors.ts';
import { type ClientError, localError } from '../client-error.ts';

/** How a connection ended: the WebSocket close code and its reason. */
export interface ClosedBy {
  readonly code: number;
  readonly reason: string;
}

/**
 * 4500-4999 are final, everything else is worth another attempt. One exception: `unauthorized` is not, where
 * another attempt brings a token that is fresh, or brings the same one in time.
 */
export function mayReconnect(
  closed: ClosedBy,
  tokenMayHelp: boolean,
): { readonly error: ClientError; readonly final: boolean } {
  const known = Object.values(closeTable).find(({ number }) => number === closed.code);
  const expired = closed.code === closeTable.unauthorized.number && tokenMayHelp;
  const final = closed.code >= 4500 && closed.code <= 4999 && !expired;
  const why = known?.summary ?? (closed.reason || `close code ${closed.code}`);
  const code = final ? 'connection_ended' : 'connection_failed';
  return { final, error: localError(code, final ? why : `The connection was lost: ${why}`) };
}
