import { type ClientError, localError } from '../client-error.ts';

/** How a connection ended: the WebSocket close code and its reason. */
export interface ClosedBy {
  readonly code: number;
  readonly reason: string;
}

const unauthorized = 4501;

/** The close codes whose meaning the application is told. */
const reasons: Readonly<Record<number, string>> = {
  4000: 'The gateway stops or restarts.',
  4500: 'An operator ended the connection.',
  [unauthorized]: 'No valid token was shown in time, or it has expired.',
  4502: 'A message was larger than the gateway takes.',
};

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
  const why = reasons[code] ?? (closed.reason || `close code ${code}`);
  return {
    final,
    error: final
      ? localError('connection_ended', why)
      : localError('connection_failed', `The connection was lost: ${why}`),
  };
}
