import { SluiceError } from '../errors.ts';

/** An error of the table in a message between two processes. */
export type PackedError = Pick<SluiceError, 'code' | 'message' | 'retryAfterMs' | 'details'>;

export function packError({ code, message, retryAfterMs, details }: SluiceError): PackedError {
  return { code, message, retryAfterMs, details };
}

export function unpackError({ code, message, ...more }: PackedError): SluiceError {
  return new SluiceError(code, message, more);
}
