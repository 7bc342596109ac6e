import crypto from 'node:crypto';

/** SHA-256 of a text, in one call where Node has it (20.12): 1 µs instead of 5. */
export function sha256(text: string): Buffer {
  return typeof crypto.hash === 'function'
    ? crypto.hash('sha256', text, 'buffer')
    : crypto.createHash('sha256').update(text).digest();
}

/** The same in base64. A text takes half as long as a `Buffer`, for the API key of every request. */
export function sha256Text(text: string): string {
  return typeof crypto.hash === 'function'
    ? crypto.hash('sha256', text, 'base64')
    : crypto.createHash('sha256').update(text).digest('base64');
}
