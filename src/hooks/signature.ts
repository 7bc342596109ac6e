import { createHmac } from 'node:crypto';

/**
 * The headers that prove to the application that a request comes from its gateway: the time, in seconds since 1970, and
 * HMAC-SHA256 over that text, a full stop and the body.
 */
export function signed(secret: string, body: Uint8Array, nowMs: number): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const digest = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex');
  return { 'sluice-timestamp': timestamp, 'sluice-signature': `v1=${digest}` };
}
