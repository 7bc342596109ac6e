import { maxUint32 } from '../integers.ts';

/** The bytes of a message's beginning, and of its end, that are looked at. */
const headBytes = 256;
const tailBytes = 32;

const ascii = new TextDecoder('latin1');

/**
 * The id of a JSON command that is not to be decoded, where it is among the first members or is the last one; else 0.
 * Never an id elsewhere: in a string, or in an object within the command.
 */
export function peekJsonId(message: Uint8Array): number {
  const head = ascii.decode(message.subarray(0, headBytes));
  const tail = ascii.decode(message.subarray(-tailBytes));
  return idOf(leading.exec(head)) ?? idOf(lastMember.exec(tail)) ?? 0;
}

/** Members of plain values, up to `id`. */
const leading =
  /^\s*\{\s*(?:"(?!id")[^"\\]*"\s*:\s*(?:"[^"\\]*"|[-+.\w]+)\s*,\s*)*"id"\s*:\s*(\d{1,10})\s*[,}]/;
/** One closing brace: the command's own. A string would need a quote before it. */
const lastMember = /[{,]\s*"id"\s*:\s*(\d{1,10})\s*\}\s*$/;

function idOf(match: RegExpExecArray | null): number | undefined {
  const id = match === null ? undefined : Number(match[1]);
  return id !== undefined && id <= maxUint32 ? id : undefined;
}
