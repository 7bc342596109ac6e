import type { Arbitrary } from 'fast-check';
import fc from 'fast-check';
import {
  clientFrame as clientFields,
  type Field,
  serverFrame as serverFields,
} from '../../src/client/wire/tables.ts';
import type { ClientFrame, CommandKind } from '../../src/protocol/client-frames.ts';
import type { Filter, OffsetRange, Payload, Publication } from '../../src/protocol/frames.ts';
import { lastInstantMs } from '../../src/protocol/integers.ts';
import type { ServerFrame, ServerKind } from '../../src/protocol/server-frames.ts';
import { utf8 } from '../../src/protocol/utf8.ts';

/** Frames as a peer may send them: what is optional is absent rather than empty. */

const name = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' });
const uint32 = fc.nat(0xffff_ffff);
const uint53 = fc.maxSafeNat();
const instant = fc.integer({ min: 1, max: lastInstantMs });
const maybe = <T>(value: Arbitrary<T>) => fc.option(value, { nil: undefined });

const jsonPayload = fc
  .tuple(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'))
  .map(([value, indent]): Payload => ({ format: 'json', bytes: utf8(JSON.stringify(value, null, indent)) }));
const sizedJson = jsonPayload.filter((payload) => payload.bytes.length < 300);
const binaryPayload = fc
  .uint8Array({ maxLength: 40 })
  .map((bytes): Payload => ({ format: 'binary', bytes: Uint8Array.from(bytes) }));
const payload = fc.oneof(sizedJson, binaryPayload);

const tags = fc.dictionary(name, fc.string({ maxLength: 5 }), {
  minKeys: 1,
  maxKeys: 4,
  noNullPrototype: true,
});

/** By the type of a field in the tables of the SDK. A test compares these with `proto/gateway.proto`. */
const values: Readonly<Record<string, Arbitrary<unknown>>> = {
  s: fc.string({ maxLength: 8, unit: 'grapheme' }),
  r: name,
  S: name,
  u: uint32,
  U: fc.integer({ min: 1, max: 0xffff_ffff }),
  n: uint53,
  N: uint53,
  P: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  i: instant,
  I: instant,
  f: uint32,
  d: maybe(fc.double({ min: 0.001, max: 1e6, noNaN: true })),
  b: fc.boolean(),
  B: fc.constant(true),
  O: fc.boolean(),
  x: fc.uint8Array({ maxLength: 40 }).map((bytes) => Uint8Array.from(bytes)),
  m: fc.constantFrom('stream', 'state'),
  j: payload,
  J: payload,
};

/** Messages whose fields depend on each other. */
const messages: Readonly<Record<string, (fields: readonly Field[]) => Arbitrary<object>>> = {
  publication: () => publication,
  filter: () => filter,
  range: () => range,
  result: (fields) =>
    fc.oneof(
      messageOf(fields.filter(({ name }) => name !== 'error')),
      messageOf(fields.filter(({ name }) => name === 'topic' || name === 'error')).filter(
        (refused) => 'error' in refused && refused.error !== undefined,
      ),
    ),
};

const kinds: { readonly [K in ServerKind]?: (fields: readonly Field[]) => Arbitrary<object> } = {
  batch: () => batch,
  history: (fields) => fc.tuple(messageOf(fields), range).map(([page, covered]) => ({ ...page, ...covered })),
};

/** `isSent`: of a command, in which an empty list is absent. */
function messageOf(fields: readonly Field[], isSent = false): Arbitrary<object> {
  const members = fields.filter(({ type }) => type !== 'k' && type !== 'K');
  return fc.record(
    Object.fromEntries(members.map((field) => [field.oneOf ?? field.name, arbitraryOf(field, isSent)])),
  );
}

function arbitraryOf(field: Field, isSent: boolean): Arbitrary<unknown> {
  const { type, many, isList, fields } = field;
  if (type === 't') return maybe(tags);
  const value = fields ? (messages[type] ?? messageOf)(fields, isSent) : values[type];
  if (value === undefined) throw new Error(`no values of the type ${type}`);
  if (!isList) return many === '?' || 'SUPNIBOJ'.includes(type) ? maybe(value) : value;
  // The gateway leaves empty names out of a list; a key may be empty.
  const entry = field.isText && field.name !== 'keys' ? name : value;
  const isFilled = many === '+' || isSent;
  const list = fc.array(entry, { minLength: isFilled ? 1 : 0, maxLength: 3 });
  return isFilled ? maybe(list) : list;
}

function innerOf(fields: readonly Field[], of: string): readonly Field[] {
  return fields.find(({ name }) => name === of)?.fields ?? [];
}

export const publication = fc
  .tuple(
    messageOf(innerOf(innerOf(serverFields, 'history'), 'publications')),
    fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    fc.stringMatching(/^x[a-z_]{0,10}$/),
  )
  .map(([fields, offset, type]) => ({ ...fields, offset, type }) as Publication);

const filter: Arbitrary<Filter> = fc.letrec<{ node: Filter; leaf: Filter }>((tie) => ({
  leaf: fc.oneof(
    fc.record({ op: fc.constantFrom('eq' as const, 'prefix' as const), tag: name, value: fc.string() }),
    fc.record({
      op: fc.constant('in' as const),
      tag: name,
      values: fc.array(fc.string(), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      op: fc.constantFrom('lt' as const, 'lte' as const, 'gt' as const, 'gte' as const),
      tag: name,
      number: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
    }),
    fc.record({ op: fc.constant('exists' as const), tag: name }),
  ),
  node: fc.oneof(
    { maxDepth: 5 },
    tie('leaf'),
    fc.record({
      op: fc.constantFrom('and' as const, 'or' as const),
      filters: fc.array(tie('node'), { minLength: 1, maxLength: 2 }),
    }),
    fc.record({ op: fc.constant('not' as const), filters: fc.tuple(tie('node')) }),
  ),
})).node;

const range: Arbitrary<OffsetRange> = fc
  .tuple(uint53, uint53)
  .map(([a, b]) => ({ after: Math.min(a, b), upto: Math.max(a, b) }));

const publications = fc.array(publication, { maxLength: 3 });

// Of a pattern: both, else neither.
const place = fc.oneof(
  fc.record({ topic: name, epoch: name }),
  fc.constant({ topic: undefined, epoch: undefined }),
);
/** A batch covers something: (0, 0] can't be said, as upto 0 means after + 1. */
const covered = range.filter(({ upto }) => upto > 0);
const batch = fc
  .tuple(uint32, place, covered, publications, fc.boolean())
  .map(([view, where, between, all, one]) => {
    const only = all[0];
    // One publication that is all that the batch covers has the offset that it covers.
    const isFlat = one || (all.length === 1 && between.upto - between.after === 1);
    if (!isFlat || only === undefined) return { view, ...where, ...between, publications: all };
    return { view, ...where, after: only.offset - 1, upto: only.offset, publications: [only] };
  });

/** Lists of which one has to be there, by command. */
const needed: { readonly [K in CommandKind]?: readonly string[] } = {
  subscribe: ['subscriptions'],
  unsubscribe: ['views', 'topics'],
  setKeys: ['keys'],
};

/** Replies carry an id, batches and snapshots don't. */
const idOf = (kind: string) => (kind === 'batch' || kind === 'snapshot' ? fc.constant(0) : uint32);

export function clientFrame(kind: CommandKind): Arbitrary<ClientFrame> {
  const command = messageOf(innerOf(clientFields, kind), true).filter(
    (fields) => needed[kind]?.some((list) => fields[list as never] !== undefined) ?? true,
  );
  return fc.tuple(uint32, command).map(([id, fields]) => ({ kind, id, ...fields }) as ClientFrame);
}

export function serverFrame(kind: ServerKind): Arbitrary<ServerFrame> {
  const message = (kinds[kind] ?? messageOf)(innerOf(serverFields, kind));
  return fc.tuple(idOf(kind), message).map(([id, fields]) => ({ kind, id, ...fields }) as ServerFrame);
}

/** Some bytes replaced, added or taken out, perhaps the rest cut off: see `damaged`. */
export const damage = fc.array(
  fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('replace', 'insert', 'remove', 'cut')),
  { minLength: 1, maxLength: 3 },
);

export function damaged(
  bytes: Uint8Array,
  changes: readonly (readonly [number, number, string])[],
): Uint8Array {
  const list = [...bytes];
  for (const [where, byte, how] of changes) {
    const at = list.length === 0 ? 0 : where % list.length;
    if (how === 'cut') list.length = at;
    else list.splice(at, how === 'insert' ? 0 : 1, ...(how === 'remove' ? [] : [byte]));
  }
  return Uint8Array.from(list);
}
