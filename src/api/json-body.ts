import { isUtf8 } from 'node:buffer';
import type { z } from 'zod';
import { SluiceError, throwIf } from '../errors.ts';
import { type CutObject, cutMembers } from '../protocol/json/envelope.ts';
import { scanJson } from '../protocol/json/scanner.ts';
import { validated } from './validate.ts';

/** Reading one this large takes a few milliseconds. */
const jsonBodyMaxBytes = 256 * 1024;

/** Reads a body that is not a publication. Throws `invalid_json` or `invalid_request`. */
export function readJsonBody<T>(body: Uint8Array, schema: z.ZodType<T>): T {
  if (body.length > jsonBodyMaxBytes) {
    throw new SluiceError('frame_too_large', `this body has at most ${jsonBodyMaxBytes} bytes`);
  }
  throwIf(utf8Problem(body));
  // The scanner refuses what `JSON.parse` would take silently: an object with the same member twice.
  const scanned = scanJson(body);
  if (!scanned.ok) throw new SluiceError('invalid_json', scanned.message);
  return validated(schema, JSON.parse(Buffer.from(body).toString()));
}

/**
 * Reads a body that is an object. Members of these names are cut out, as the bytes of their values; the others are
 * parsed. Throws `invalid_json`.
 */
export function readMembers(body: Uint8Array, names: readonly string[]): CutObject {
  throwIf(utf8Problem(body));
  const cut = cutMembers(body, names);
  if (!cut.ok) throw new SluiceError('invalid_json', cut.message);
  return cut;
}

export function utf8Problem(body: Uint8Array): SluiceError | undefined {
  return isUtf8(body) ? undefined : new SluiceError('invalid_json', 'the body is not UTF-8');
}
