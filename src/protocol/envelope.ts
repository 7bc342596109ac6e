import {
  type JsonText,
  type Member,
  memberName,
  type ScanFault,
  type Span,
  scanJson,
} from './json-scanner.ts';

/** An object without the members that were cut out of it. */
export interface Envelope {
  readonly ok: true;
  /** The other members, parsed. A member named `__proto__` is an own property like any other: don't copy by assignment. */
  readonly envelope: Record<string, unknown>;
  /** The exact bytes of the member's value: a view into the text. */
  readonly payload?: Uint8Array;
}

export interface Cut {
  readonly ok: true;
  readonly envelope: Record<string, unknown>;
  /** Per name that was asked for: the exact bytes of its value, or undefined. Views into the text. */
  readonly values: readonly (Uint8Array | undefined)[];
}

/**
 * Parses a JSON object except for one member, whose bytes are left as they are. Strict, see `scanJson`; the caller
 * has checked that the text is UTF-8.
 */
export function splitEnvelope(bytes: Uint8Array, payloadMember: string): Envelope | ScanFault {
  const cut = cutMembers(bytes, [payloadMember]);
  return cut.ok ? { ok: true, envelope: cut.envelope, payload: cut.values[0] } : cut;
}

/** The same for several members. */
export function cutMembers(bytes: Uint8Array, names: readonly string[]): Cut | ScanFault {
  const text = scanJson(bytes);
  if (!text.ok) return text;
  if (text.kind !== 'object') return notThat('an object', text);
  const values: (Uint8Array | undefined)[] = names.map(() => undefined);
  // The text without the values that are cut: `null` stands in for each, and is deleted after parsing.
  let rest = '';
  let from = 0;
  for (const member of text.members) {
    const index = names.findIndex((name) => isNamed(bytes, member, name));
    if (index < 0) continue;
    values[index] = bytes.subarray(member.start, member.end);
    rest += `${decoder.decode(bytes.subarray(from, member.start))}null`;
    from = member.end;
  }
  rest += decoder.decode(from === 0 ? bytes : bytes.subarray(from));
  const envelope = JSON.parse(rest) as Record<string, unknown>;
  for (let i = 0; i < names.length; i++) if (values[i] !== undefined) delete envelope[names[i]!];
  return { ok: true, envelope, values };
}

/** The elements of a JSON array: views into the text. Strict, see `scanJson`. */
export function arrayElements(
  bytes: Uint8Array,
): { readonly ok: true; readonly elements: readonly Uint8Array[] } | ScanFault {
  const text = scanJson(bytes);
  if (!text.ok) return text;
  if (text.kind !== 'array') return notThat('an array', text);
  return { ok: true, elements: text.elements.map((span: Span) => bytes.subarray(span.start, span.end)) };
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function notThat(expected: string, text: JsonText): ScanFault {
  return {
    ok: false,
    message: `expected ${expected} at byte ${text.start}`,
    position: text.start,
    otherKind: true,
  };
}

/** `name` is ASCII. */
function isNamed(bytes: Uint8Array, member: Member, name: string): boolean {
  if (member.escaped) return memberName(bytes, member) === name;
  if (member.nameEnd - member.nameStart !== name.length) return false;
  for (let i = 0; i < name.length; i++) {
    if (bytes[member.nameStart + i] !== name.charCodeAt(i)) return false;
  }
  return true;
}
