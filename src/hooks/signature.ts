import { createHmac } from 'node:crypto';

/**
 * The headers that prove to the application that a request comes from its gateway: the time, in seconds since 1970, and
 * HMAC-SHA256 over that text, a full stop and the body, which is made of `pieces`.
 */
export function signed(secret: string, pieces: readonly Uint8Array[], nowMs: number): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const hmac = createHmac('sha256', secret).update(`${timestamp}.`);
  for (const piece of pieces) hmac.update(piece);
  return { 'sluice-timestamp': timestamp, 'sluice-signature': `v1=${hmac.digest('hex')}` };
}
