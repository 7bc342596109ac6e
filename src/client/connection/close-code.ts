/** How a connection ended: the WebSocket close code and its reason. */
export interface ClosedBy {
  readonly code: number;
  readonly reason: string;
}

const unauthorized = 4501;

/**
 * Codes from 4500 are final, all others are worth another attempt. One exception: `unauthorized` is not final if the
 * next attempt can bring a fresh token, or the same one in time.
 */
export function isFinal({ code }: ClosedBy, tokenMayHelp: boolean): boolean {
  return code >= 4500 && !(code === unauthorized && tokenMayHelp);
}
