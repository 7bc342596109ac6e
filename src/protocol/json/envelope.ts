import {
  type JsonMember,
  type JsonText,
  memberName,
  type ScanFault,
  type ScanOptions,
  scanJson,
} from './scanner.ts';
import { plainTexts } from './short-texts.ts';

/** More members than any message or request has in its outermost object. */
const maxMembers = 100;

export const objectScan: ScanOptions = {
  maxMembers,
  nestedMaxBytes: Number.POSITIVE_INFINITY,
  elements: false,
};

/** An object without the members that were cut out of it. */
export interface CutObject {
  readonly ok: true;
  /**
   * The other members, parsed. A member named `__proto__` is an own property like any other: don't copy by assignment.
   */
  readonly envelope: Record<string, unknown>;
  /** By name that was asked for: the exact bytes of its value, or undefined. Views into the text. */
  readonly values: readonly (Uint8Array | undefined)[];
}

/** Scans a JSON text that has to be an object. Strict, see `scanJson`; the caller has checked that it is UTF-8. */
export function scanObject(bytes: Uint8Array): JsonText | ScanFault {
  return asObject(scanJson(bytes, objectScan));
}

/** The text if it is an object. */
export function asObject(text: JsonText | ScanFault): JsonText | ScanFault {
  return !text.ok || text.kind === 'object' ? text : notThat('an object', text);
}

/** Parses a JSON object except for these members, whose bytes are left as they are. */
export function cutMembers(bytes: Uint8Array, names: readonly string[]): CutObject | ScanFault {
  const text = scanObject(bytes);
  return text.ok ? cutObject(bytes, text, names) : text;
}

/** The same of an object that was scanned. */
export function cutObject(bytes: Uint8Array, { members }: JsonText, names: readonly string[]): CutObject {
  const values: (Uint8Array | undefined)[] = names.map(() => undefined);
  const envelope: Record<string, unknown> = {};
  for (const member of members) {
    const index = indexOfName(bytes, member, names);
    if (index >= 0) values[index] = bytes.subarray(member.start, member.end);
    else setOwn(envelope, memberName(bytes, member), parsed(bytes, member));
  }
  return { ok: true, envelope, values };
}

/** The value of one member; undefined: there is none. */
export function memberValue(bytes: Uint8Array, { members }: JsonText, name: string): unknown {
  for (const member of members) if (isNamed(bytes, member, name)) return parsed(bytes, member);
  return undefined;
}

/** As JSON.parse does it: an assignment to `__proto__` would replace the prototype. */
function setOwn(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') object[name] = value;
  else Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

/** What JSON.parse makes of it. */
function parsed(bytes: Uint8Array, { start, end, plain }: JsonMember): unknown {
  if (plain) return plainTexts.decode(bytes, start + 1, end - 1);
  return JSON.parse(plainTexts.decode(bytes, start, end));
}

function notThat(expected: string, text: JsonText): ScanFault {
  return {
    ok: false,
    message: `expected ${expected} at byte ${text.start}`,
    position: text.start,
    reason: 'other_kind',
  };
}

function indexOfName(bytes: Uint8Array, member: JsonMember, names: readonly string[]): number {
  for (let i = 0; i < names.length; i++) if (isNamed(bytes, member, names[i]!)) return i;
  return -1;
}

/** `name` is ASCII. */
export function isNamed(bytes: Uint8Array, member: JsonMember, name: string): boolean {
  if (member.escaped) return memberName(bytes, member) === name;
  if (member.nameEnd - member.nameStart !== name.length) return false;
  for (let i = 0; i < name.length; i++) {
    if (bytes[member.nameStart + i] !== name.charCodeAt(i)) return false;
  }
  return true;
}
