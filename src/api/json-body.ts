import { isUtf8 } from 'node:buffer';
import type { z } from 'zod';
import { SluiceError } from '../errors.ts';
import { scanJson } from '../protocol/json/scanner.ts';
import { validate } from './validate.ts';

/** Reading one this large takes a few milliseconds. */
const jsonBodyMaxBytes = 256 * 1024;

/** Reads a body that is not a publication. Throws `invalid_json` or `invalid_request`. */
export function readJsonBody<T>(body: Uint8Array, schema: z.ZodType<T>): T {
  if (body.length > jsonBodyMaxBytes) {
    throw new SluiceError('frame_too_large', `this body has at most ${jsonBodyMaxBytes} bytes`);
  }
  if (!isUtf8(body)) throw new SluiceError('invalid_json', 'the body is not UTF-8');
  // The scanner refuses what `JSON.parse` would take silently: an object with the same member twice.
  const scanned = scanJson(body);
  if (!scanned.ok) throw new SluiceError('invalid_json', scanned.message);
  const valid = validate(schema, JSON.parse(Buffer.from(body).toString()));
  if (valid instanceof SluiceError) throw valid;
  return valid;
}
