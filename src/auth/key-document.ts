import { joinedBytes } from '../joined-bytes.ts';
import { readRegularFile } from '../regular-file.ts';

const documentMaxBytes = 256 * 1024;
const fetchTimeoutMs = 5_000;

/** Reads a document of keys from a file. Rejects as `readRegularFile` throws. */
export async function readKeyFile(path: string): Promise<string> {
  return textOf(readRegularFile(path, documentMaxBytes));
}

/** Fetches a document of keys: within 5 s, at most 256 KiB, without following redirects. */
export async function fetchKeyDocument(url: string): Promise<string> {
  const signal = AbortSignal.timeout(fetchTimeoutMs);
  const response = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the server returned ${response.status}`);
  }
  return readBounded(response);
}

async function readBounded(response: Response): Promise<string> {
  const tooLarge = () => new RangeError(`it is larger than ${documentMaxBytes} bytes`);
  return textOf(await joinedBytes(response.body ?? [], documentMaxBytes, tooLarge));
}

/** Without the byte order mark that some editors and servers put before it. */
function textOf(document: Uint8Array): string {
  return new TextDecoder().decode(document);
}
