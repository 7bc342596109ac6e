import { fieldMaxLengths } from './publish-limits.ts';

/** What a publication carries: JSON text in UTF-8 (kept byte for byte) or any bytes. */
export interface Payload {
  readonly format: 'json' | 'binary';
  readonly bytes: Uint8Array;
  /** The bytes stay valid. Otherwise those of a client's message are valid only in the turn in which it is decoded. */
  readonly lasts?: boolean;
}

export type Tags = Readonly<Record<string, string>>;

/** What a field may hold. Durations and instants are milliseconds, instants since 1970 in UTC. */
export interface Kinds {
  readonly text: string;
  readonly tags: Tags;
  readonly flag: boolean;
  readonly duration: number;
  readonly instant: number;
  readonly integer: number;
}

/** The bits of one byte. */
type StoredBit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

export interface FieldRow {
  readonly kind: keyof Kinds;
  /**
   * Its number in Publication of `proto/gateway.proto`. Absent: subscribers do not see it, or every publication has it.
   */
  readonly publicationField?: number;
  /** What engines keep: `encoded`, in the bytes of the publication; `beside` them; or nothing of it. */
  readonly kept: 'encoded' | 'beside' | 'never';
  /**
   * Of what is kept `beside`: its bit in stored records, whose values follow in the order of their bits. Data on disk
   * depends on it: never change it, and never use it for another row.
   */
  readonly storedBit?: StoredBit;
  /** Whether two publishes with one message id and different values of it are different publications. */
  readonly identifies: boolean;
  /** The length of a text, in UTF-16 units. */
  readonly minLength?: number;
  readonly maxLength?: number;
  /** Only commands have it: in the body of a request it is refused. */
  readonly isOfCommands?: true;
  /** For the API's documentation. */
  readonly sentence: string;
}

/**
 * The optional fields of a publish, one row each. The types below, the codecs, the API's schemas, the limits, the
 * digest of a message id and the stores follow from these rows, or do not compile without them. A new field is a row
 * here, a field in `proto/gateway.proto`, and what the compiler names then.
 */
const optionalFields = {
  key: {
    kind: 'text',
    publicationField: 6,
    kept: 'encoded',
    identifies: true,
    maxLength: fieldMaxLengths.key,
    sentence: 'State mode: the key that gets this value.',
  },
  tags: {
    kind: 'tags',
    publicationField: 7,
    kept: 'encoded',
    identifies: true,
    sentence: 'Tags for filters.',
  },
  messageId: {
    kind: 'text',
    kept: 'never',
    identifies: false,
    minLength: 1,
    maxLength: fieldMaxLengths.messageId,
    sentence:
      'Idempotency key: a repeat within 5 minutes returns the first offset and is not published again.',
  },
  except: {
    kind: 'text',
    kept: 'beside',
    storedBit: 0,
    // A client that sends one again after a reconnect names its new session.
    identifies: false,
    minLength: 1,
    maxLength: fieldMaxLengths.except,
    sentence: 'Id of a session that does not get it.',
  },
  ttlMs: {
    kind: 'duration',
    kept: 'beside',
    storedBit: 1,
    identifies: false,
    sentence: 'Lifetime, after which it is dropped from history and state.',
  },
  timestampMs: {
    kind: 'instant',
    kept: 'encoded',
    identifies: false,
    sentence: 'Time of the update. Default: the gateway’s clock.',
  },
  removed: {
    kind: 'flag',
    publicationField: 8,
    kept: 'encoded',
    identifies: true,
    sentence: 'State mode: removes the key.',
  },
  expectedOffset: {
    kind: 'integer',
    kept: 'never',
    identifies: false,
    isOfCommands: true,
    sentence: 'Publish only if this is the newest offset of the topic.',
  },
  pipelined: {
    kind: 'flag',
    kept: 'never',
    identifies: false,
    isOfCommands: true,
    sentence: 'Sent before the replies to the publishes before it.',
  },
} as const satisfies Readonly<Record<string, FieldRow>>;

type FieldTable = typeof optionalFields;
export type FieldName = keyof FieldTable;
export type ValueOf<N extends FieldName> = Kinds[FieldTable[N]['kind']] | undefined;

/** What a publisher may leave out. */
export type OptionalFields = { readonly [N in FieldName]: ValueOf<N> };
export type SeenFields = {
  readonly [N in FieldName as FieldTable[N] extends { readonly publicationField: number }
    ? N
    : never]: ValueOf<N>;
};

/** What engines keep of a publication beside its encoded bytes. */
export type BesideFields = {
  readonly [N in FieldName as FieldTable[N]['kept'] extends 'beside' ? N : never]: ValueOf<N>;
};

/** What a publisher asks for. */
export interface PublishFields extends OptionalFields {
  readonly topic: string;
  readonly type: string;
  readonly payload: Payload;
}

/** The fields that are kept once it has its offset. */
export type KeptFields = Omit<
  PublishFields,
  { [N in FieldName]: FieldTable[N]['kept'] extends 'never' ? N : never }[FieldName]
>;

/** One update, as a receiver sees it. */
export interface Publication extends SeenFields {
  readonly offset: number;
  /** Milliseconds since 1970, UTC. */
  readonly timestampMs: number;
  readonly type: string;
  readonly payload: Payload;
}

type SameBit<N extends keyof BesideFields> = {
  [Other in Exclude<keyof BesideFields, N>]: FieldTable[Other]['storedBit'] extends FieldTable[N]['storedBit']
    ? Other
    : never;
}[Exclude<keyof BesideFields, N>];

/** Two fields with one stored bit do not compile here. */
const withSameBit: readonly { [N in keyof BesideFields]: SameBit<N> }[keyof BesideFields][] = [];
withSameBit satisfies readonly never[];

/** The kinds of the fields that engines keep beside the encoded bytes. */
export type BesideKind = FieldTable[keyof BesideFields]['kind'];

/** A row with its name. */
export interface NamedField extends FieldRow {
  readonly name: FieldName;
}

type Rows<N extends FieldName> = readonly (NamedField & {
  readonly name: N;
  readonly kind: FieldTable[N]['kind'];
})[];

/** All rows have all properties in one order: the code that reads them for each publish sees one shape of object. */
function rowsOf<N extends FieldName>(belongs: (row: FieldRow) => boolean): Rows<N> {
  return (Object.entries(optionalFields) as [N, FieldRow & { readonly kind: FieldTable[N]['kind'] }][])
    .filter(([, row]) => belongs(row))
    .map(([name, row]) => ({
      name,
      kind: row.kind,
      publicationField: row.publicationField,
      kept: row.kept,
      storedBit: row.storedBit,
      identifies: row.identifies,
      minLength: row.minLength,
      maxLength: row.maxLength,
      isOfCommands: row.isOfCommands,
      sentence: row.sentence,
    }));
}

export const fieldRows: Rows<FieldName> = rowsOf(() => true);
export const seenRows: Rows<keyof SeenFields> = rowsOf(
  ({ publicationField }) => publicationField !== undefined,
);
/** In this order they are stored. */
export const besideRows = rowsOf<keyof BesideFields>(({ kept }) => kept === 'beside')
  .map((row) => ({ ...row, storedBit: optionalFields[row.name].storedBit }))
  .sort((a, b) => a.storedBit - b.storedBit);

// Most publishes have no optional row. To ask that field by field takes a few ns; to look each row's name up in an
// object takes 15 ns a row, which made a batch 15 % slower (`bench -- http`). A test asks them about each row.

/** Whether a publish has any of the optional fields. */
export function hasOptionalFields(publish: OptionalFields): boolean {
  const { key, tags, messageId, except, ttlMs, timestampMs, removed, expectedOffset, pipelined } = publish;
  return !(
    key === undefined &&
    tags === undefined &&
    messageId === undefined &&
    except === undefined &&
    ttlMs === undefined &&
    timestampMs === undefined &&
    removed === undefined &&
    expectedOffset === undefined &&
    pipelined === undefined
  );
}

/** Whether a publication has any of the optional fields that subscribers see. */
export function hasSeenFields({ key, tags, removed }: SeenFields): boolean {
  return !(key === undefined && tags === undefined && removed === undefined);
}

/** An encoding can't tell what is empty from what is not there. */
function unlessEmpty<T extends Kinds[keyof Kinds]>(value: T | undefined): T | undefined {
  if (typeof value !== 'object') return value || undefined;
  for (const _ in value) return value;
  return undefined;
}

/** The optional fields that subscribers see, also of a publication that has getters for them. */
export function seenOf({ key, tags, removed }: SeenFields): SeenFields {
  return { key: unlessEmpty(key), tags: unlessEmpty(tags), removed: unlessEmpty(removed) };
}

/** The optional fields that subscribers see, for the class of publications that a gateway keeps. Most have none. */
export class SeenHolder implements SeenFields {
  readonly #seen: SeenFields | undefined;

  constructor(fields: SeenFields) {
    this.#seen = hasSeenFields(fields) ? seenOf(fields) : undefined;
  }

  get key(): SeenFields['key'] {
    return this.#seen?.key;
  }

  get tags(): SeenFields['tags'] {
    return this.#seen?.tags;
  }

  get removed(): SeenFields['removed'] {
    return this.#seen?.removed;
  }
}

/** Whether there is anything to keep beside the encoded bytes. */
export function hasBeside({ except, ttlMs }: BesideFields): boolean {
  return !(except === undefined && ttlMs === undefined);
}

type Draft<T> = { -readonly [N in keyof T]: T[N] };

// Object literals, all fields written out: what is copied from another object is made ten times more slowly.

/** A publish without optional fields, to write them into. */
export function draftPublish(topic: string, type: string, payload: Payload): Draft<PublishFields> {
  return {
    topic,
    type,
    payload,
    key: undefined,
    tags: undefined,
    messageId: undefined,
    except: undefined,
    ttlMs: undefined,
    timestampMs: undefined,
    removed: undefined,
    expectedOffset: undefined,
    pipelined: undefined,
  };
}

/** The same publish with another payload. What else `publish` has, as a frame, is left out. */
export function publishFrom(publish: Omit<PublishFields, 'payload'>, payload: Payload): Draft<PublishFields> {
  const {
    topic,
    type,
    key,
    tags,
    messageId,
    except,
    ttlMs,
    timestampMs,
    removed,
    expectedOffset,
    pipelined,
  } = publish;
  return {
    topic,
    type,
    payload,
    key,
    tags,
    messageId,
    except,
    ttlMs,
    timestampMs,
    removed,
    expectedOffset,
    pipelined,
  };
}

/** The command to publish it, with the number of the command. */
export function publishCommand(id: number, publish: PublishFields) {
  const fields: Draft<PublishFields> & { kind?: 'publish'; id?: number } = publishFrom(
    publish,
    publish.payload,
  );
  fields.kind = 'publish';
  fields.id = id;
  return fields as Required<Pick<typeof fields, 'kind' | 'id'>> & PublishFields;
}

/** A publication without optional fields, to write them into. */
export function draftPublication(
  offset: number,
  timestampMs: number,
  type: string,
  payload: Payload,
): Draft<Publication> {
  return { offset, timestampMs, type, payload, key: undefined, tags: undefined, removed: undefined };
}

/** What is kept of a publication, from what its encoded bytes say and what is kept beside them. */
export function keptFrom(topic: string, publication: Publication, beside: BesideFields): KeptFields {
  const { type, payload, timestampMs, key, tags, removed } = publication;
  const { except, ttlMs } = beside;
  return { topic, type, payload, timestampMs, key, tags, removed, except, ttlMs };
}

/** Nothing beside the encoded bytes, to write it into. */
export function draftBeside(): Draft<BesideFields> {
  return { except: undefined, ttlMs: undefined };
}

/** A publish with the fields that are given. */
export function publishOf({
  topic,
  type,
  payload,
  ...more
}: Pick<PublishFields, 'topic' | 'type' | 'payload'> & Partial<OptionalFields>): PublishFields {
  return Object.assign(draftPublish(topic, type, payload), more);
}
