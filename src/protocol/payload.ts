import type { Payload } from './frames.ts';
import { scanJson } from './json/scanner.ts';
import { isUtf8, utf8 } from './utf8.ts';

/** The value of an absent payload of a publication. Shared: don't write into its bytes. */
export const nullPayload: Payload = { format: 'json', bytes: utf8('null') };

/** What is wrong with the bytes of a JSON payload (error `invalid_json`); undefined: nothing. */
export function jsonPayloadProblem(bytes: Uint8Array): string | undefined {
  if (!isUtf8(bytes)) return 'the payload is not UTF-8';
  const text = scanJson(bytes);
  return text.ok ? undefined : `the payload is not JSON: ${text.message}`;
}
