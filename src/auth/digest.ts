import crypto from 'node:crypto';

/**
 * SHA-256 of a text. In one call where Node has that (20.12), in 1 us instead of 5: an API key is looked at in each
 * request.
 */
export function sha256(text: string): Buffer {
  return typeof crypto.hash === 'function'
    ? crypto.hash('sha256', text, 'buffer')
    : crypto.createHash('sha256').update(text).digest();
}
