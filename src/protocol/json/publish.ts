import { fromInstant } from '../instant.ts';
import { lastInstantMs } from '../integers.ts';
import { nullPayload } from '../payload.ts';
import {
  draftPublish,
  type FieldName,
  fieldRows,
  type Kinds,
  type NamedField,
  type Payload,
  type PublishFields,
  type Tags,
} from '../publication.ts';
import { canonicalTopic } from '../user-topics.ts';
import { isWellFormed } from '../utf8.ts';
import { fromBase64 } from './base64.ts';
import { isNamed } from './envelope.ts';
import { jsonName } from './names.ts';
import { type JsonMember, type JsonText, memberName } from './scanner.ts';
import { plainTexts, type Texts } from './short-texts.ts';

/** Where the publishes of HTTP bodies and those of frames differ. */
export interface PublishDialect {
  /** The member that holds the type: a frame's `type` is its own. */
  readonly typeMember: 'type' | 'event';
  /** Absent: a type is required. */
  readonly defaultType?: string;
  /** Absent: the member `topic`, which is required. */
  readonly topic?: string;
  /** Members that are not known are faults. Otherwise they are ignored. */
  readonly isStrict: boolean;
  /** Whether "", 0 and false are absence, as in protobuf. */
  readonly emptyIsAbsent: boolean;
}

/** In a frame. */
export const framePublish: PublishDialect = { typeMember: 'event', isStrict: false, emptyIsAbsent: true };

/** An invalid member (error `invalid_request`). */
export interface PublishFault {
  readonly path: string;
  readonly message: string;
}

/** No value but a text is longer within the broker's limits, whatever its escapes: what is longer is not parsed. */
const valueMaxBytes = 256 * 1024;

const halfPair = 'has half of a surrogate pair';

const quote = 0x22;
const letterN = 0x6e;

type Draft = ReturnType<typeof draftPublish>;

/** A member that JSON has in its place, as `timestamp` for `timestampMs`. */
interface Row extends NamedField {
  readonly member: string;
}

const rows: readonly Row[] = fieldRows.map((row) => ({
  ...row,
  member: jsonName(row),
}));

/**
 * Reads the publish of a JSON object, or the faults of its members, straight from the bytes. The broker judges lengths.
 * `data` is a view into the bytes.
 */
export function readJsonPublish(
  bytes: Uint8Array,
  { members }: JsonText,
  dialect: PublishDialect,
  texts: Texts = plainTexts,
): PublishFields | readonly PublishFault[] {
  return new PublishReader(bytes, dialect, texts).read(members);
}

export function isFaults(read: PublishFields | readonly PublishFault[]): read is readonly PublishFault[] {
  return Array.isArray(read);
}

/** `private` rather than `#`, which is slower: see `JsonScanner`. */
class PublishReader {
  private readonly bytes: Uint8Array;
  private readonly dialect: PublishDialect;
  private readonly texts: Texts;
  private faults: PublishFault[] | undefined;

  constructor(bytes: Uint8Array, dialect: PublishDialect, texts: Texts) {
    this.bytes = bytes;
    this.dialect = dialect;
    this.texts = texts;
  }

  read(members: readonly JsonMember[]): PublishFields | readonly PublishFault[] {
    const { typeMember, defaultType } = this.dialect;
    let { topic } = this.dialect;
    const hasTopic = topic === undefined;
    let type: string | undefined;
    let data: JsonMember | undefined;
    let base64: JsonMember | undefined;
    const fields = draftPublish('', '', nullPayload);
    for (const member of members) {
      if (this.isNamed(member, 'data')) data = member;
      else if (hasTopic && this.isNamed(member, 'topic')) topic = this.text(member, 'topic');
      else if (this.isNamed(member, typeMember)) type = this.text(member, typeMember);
      else if (this.isNamed(member, 'dataBase64')) base64 = member;
      else this.optional(fields, member);
    }
    fields.topic = canonicalTopic(topic ?? this.missing('topic'));
    fields.type = type ?? defaultType ?? this.missing(typeMember);
    fields.payload = this.payload(data, base64);
    return this.faults ?? fields;
  }

  private optional(fields: Draft, member: JsonMember): void {
    const row = this.rowOf(member);
    if (row !== undefined) setMember(fields, row.name, this.value(row, member));
    else if (this.dialect.isStrict) this.fail(memberName(this.bytes, member), 'is not known here');
  }

  private rowOf(member: JsonMember): Row | undefined {
    for (const row of rows) {
      if (!this.isNamed(member, row.member)) continue;
      return row.isOfCommands && this.dialect.isStrict ? undefined : row;
    }
    return undefined;
  }

  private value({ kind, member: name }: Row, member: JsonMember): Kinds[keyof Kinds] | undefined {
    switch (kind) {
      case 'text':
        return this.text(member, name);
      case 'tags':
        return this.tags(member, name);
      case 'flag':
        return this.flag(member, name);
      case 'instant':
        return this.instant(member, name);
      case 'duration':
        return this.integer(member, name, this.dialect.emptyIsAbsent ? 0 : 1) || undefined;
      case 'integer':
        return this.integer(member, name, 0);
    }
  }

  /** Undefined: null, or empty where that is absence; or it was a fault. */
  private text(member: JsonMember, name: string): string | undefined {
    const { start, end, plain } = member;
    const value = plain ? this.texts.decode(this.bytes, start + 1, end - 1) : this.escapedText(member, name);
    return value === '' && this.dialect.emptyIsAbsent ? undefined : value;
  }

  private escapedText(member: JsonMember, name: string): string | undefined {
    const value = this.parsed(member, name);
    if (value === null || value === undefined) return undefined;
    if (typeof value !== 'string') return this.fail(name, 'must be a string');
    // Only escapes can say half a pair.
    return isWellFormed(value) ? value : this.fail(name, halfPair);
  }

  private tags(member: JsonMember, name: string): Tags | undefined {
    const value = this.parsed(member, name);
    if (value === null || value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) return this.fail(name, 'must be an object');
    for (const [tag, text] of Object.entries(value)) {
      if (typeof text !== 'string') return this.fail(`${name}.${tag}`, 'must be a string');
      if (!isWellFormed(tag) || !isWellFormed(text)) return this.fail(name, halfPair);
    }
    return value as Tags;
  }

  private flag(member: JsonMember, name: string): boolean | undefined {
    const value = this.parsed(member, name);
    if (typeof value === 'boolean') return value || undefined;
    return value === null || value === undefined ? undefined : this.fail(name, 'must be true or false');
  }

  private integer(member: JsonMember, name: string, min: number): number | undefined {
    const value = this.parsed(member, name);
    if (value === null || value === undefined) return undefined;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min) return value;
    return this.fail(name, `must be an integer from ${min} to ${Number.MAX_SAFE_INTEGER}`);
  }

  private instant(member: JsonMember, name: string): number | undefined {
    const text = this.text(member, name);
    if (text === undefined) return undefined;
    const ms = fromInstant(text);
    if (ms === undefined || ms < 0 || ms > lastInstantMs)
      return this.fail(name, 'must be a point in time from 1970 to 9999');
    return ms === 0 && this.dialect.emptyIsAbsent ? undefined : ms;
  }

  private payload(data: JsonMember | undefined, base64: JsonMember | undefined): Payload {
    const text = base64 && this.text(base64, 'dataBase64');
    const isBinary = base64 !== undefined && !this.isNull(base64);
    if (!isBinary) {
      if (data === undefined) return nullPayload;
      return { format: 'json', bytes: this.bytes.subarray(data.start, data.end) };
    }
    if (data !== undefined) this.fail('dataBase64', 'replaces data: send one of them');
    const bytes = fromBase64(text ?? '');
    if (bytes === undefined) this.fail('dataBase64', 'is not base64 (RFC 4648, with padding)');
    return bytes === undefined ? nullPayload : { format: 'binary', bytes };
  }

  private isNamed(member: JsonMember, name: string): boolean {
    return isNamed(this.bytes, member, name);
  }

  private isNull({ start }: JsonMember): boolean {
    return this.bytes[start] === letterN;
  }

  /** The value, as `JSON.parse` returns it. */
  private parsed({ start, end }: JsonMember, name: string): unknown {
    if (this.bytes[start] !== quote && end - start > valueMaxBytes)
      return this.fail(name, `has more than ${valueMaxBytes} bytes`);
    return JSON.parse(plainTexts.decode(this.bytes, start, end));
  }

  private missing(name: string): string {
    this.fail(name, 'is missing');
    return '';
  }

  private fail(path: string, message: string): undefined {
    this.faults ??= [];
    this.faults.push({ path, message });
  }
}

function setMember<N extends FieldName>(fields: Draft, name: N, value: unknown): void {
  fields[name] = value as Draft[N];
}
