import type { Arbitrary } from 'fast-check';
import fc from 'fast-check';
import type { ClientFrame, CommandKind, Commands } from '../../src/protocol/client-frames.ts';
import { lastInstantMs } from '../../src/protocol/fields.ts';
import type { Filter, OffsetRange, Payload, Publication } from '../../src/protocol/frames.ts';
import type { ServerFrame, ServerKind, ServerKinds } from '../../src/protocol/server-frames.ts';
import { utf8 } from '../../src/protocol/utf8.ts';

/** Frames as a peer may send them: what is optional is absent rather than empty. */

const name = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' });
const uint32 = fc.nat(0xffff_ffff);
const uint53 = fc.maxSafeNat();
const instant = fc.integer({ min: 1, max: lastInstantMs });
const maybe = <T>(value: Arbitrary<T>) => fc.option(value, { nil: undefined });
const wish = maybe(fc.constant(true as const));

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

export const publication: Arbitrary<Publication> = fc.record({
  offset: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  timestampMs: instant,
  type: fc.stringMatching(/^x[a-z_]{0,10}$/),
  payload,
  key: maybe(name),
  tags: maybe(tags),
  removed: wish,
});

const position = fc.record({ epoch: fc.string({ maxLength: 8 }), offset: uint53 });
const topicPosition = fc.record({ topic: name, epoch: fc.string({ maxLength: 8 }), offset: uint53 });

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

const keys = fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 3 });

const commands: { readonly [K in CommandKind]: Arbitrary<Commands[K]> } = {
  connect: fc.record({
    token: maybe(name),
    client: maybe(name),
    capabilities: maybe(fc.array(name, { minLength: 1, maxLength: 3 })),
  }),
  subscribe: fc.record({
    subscriptions: fc.array(
      fc.record({
        topic: name,
        since: maybe(position),
        positions: maybe(fc.array(topicPosition, { minLength: 1, maxLength: 3 })),
        last: maybe(fc.integer({ min: 1, max: 0xffff_ffff })),
        filter: maybe(filter),
        intervalMs: maybe(fc.integer({ min: 1, max: 0xffff_ffff })),
        conflate: wish,
        presence: wish,
        keys: maybe(keys),
        token: maybe(name),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
  unsubscribe: fc
    .record({
      views: maybe(fc.array(uint32, { minLength: 1, maxLength: 3 })),
      topics: maybe(fc.array(name, { minLength: 1, maxLength: 3 })),
    })
    .filter(({ views, topics }) => views !== undefined || topics !== undefined),
  publish: fc.record({
    topic: name,
    type: name,
    payload,
    key: maybe(name),
    tags: maybe(tags),
    messageId: maybe(name),
    ttlMs: maybe(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    except: maybe(name),
    timestampMs: maybe(instant),
    removed: wish,
    expectedOffset: maybe(uint53),
  }),
  history: fc.record({
    topic: name,
    after: maybe(uint53),
    limit: maybe(fc.integer({ min: 1, max: 0xffff_ffff })),
  }),
  presence: fc.record({ topic: name }),
  status: fc.constant({}),
  refresh: fc.record({ token: name }),
  ping: fc.record({ roundTripMs: maybe(fc.double({ min: 0.001, max: 1e6, noNaN: true })) }),
  call: fc.record({ method: name, payload: maybe(payload) }),
  setKeys: fc.record({ view: uint32, keys }),
};

const error = fc.record({
  code: name,
  number: uint32,
  message: fc.string(),
  retry: fc.boolean(),
  retryAfterMs: maybe(fc.integer({ min: 1, max: 0xffff_ffff })),
});

const recovery = { recovered: maybe(fc.boolean()), missing: maybe(range) };

const mode = fc.constantFrom('stream' as const, 'state' as const);

const granted = fc.record({
  topic: name,
  view: uint32,
  mode,
  epoch: fc.string({ maxLength: 8 }),
  offset: uint53,
  ...recovery,
  topics: maybe(
    fc.array(fc.record({ topic: name, epoch: name, offset: uint53, mode, ...recovery }), {
      minLength: 1,
      maxLength: 2,
    }),
  ),
  intervalMs: maybe(fc.integer({ min: 1, max: 0xffff_ffff })),
});

const member = fc.record({ session: name, user: maybe(name), sinceMs: instant });
const publications = fc.array(publication, { maxLength: 3 });
const pushedMember = fc.record({ topic: name, member });

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

const kinds: { readonly [K in ServerKind]: Arbitrary<ServerKinds[K]> } = {
  connected: fc.record({
    session: name,
    timeMs: instant,
    version: name,
    user: maybe(name),
    limits: fc.record({
      frameMaxBytes: uint32,
      payloadMaxBytes: uint32,
      subscriptions: uint32,
      commandsPerSecond: uint32,
      idleTimeoutMs: uint32,
    }),
    capabilities: maybe(fc.array(name, { minLength: 1, maxLength: 3 })),
    expiresMs: maybe(instant),
    degraded: wish,
  }),
  subscribed: fc.record({
    results: fc.array(fc.oneof(granted, fc.record({ topic: name, error })), { maxLength: 3 }),
  }),
  unsubscribed: fc.record({ views: fc.array(uint32, { maxLength: 3 }), reason: maybe(name) }),
  published: fc.record({ epoch: name, offset: uint53, duplicate: fc.boolean() }),
  history: fc
    .tuple(
      range,
      fc.record({ topic: name, epoch: name, more: fc.boolean(), missing: maybe(range), publications }),
    )
    .map(([between, rest]) => ({ ...between, ...rest })),
  presence: fc.record({ topic: name, members: fc.array(member, { maxLength: 3 }), count: uint32 }),
  status: fc.record({
    session: name,
    user: maybe(name),
    connectedAtMs: instant,
    messageCount: uint53,
    subscriptions: fc.array(fc.record({ topic: name, view: uint32 }), { maxLength: 3 }),
    timeMs: instant,
  }),
  refreshed: fc.record({ expiresMs: maybe(instant) }),
  pong: fc.record({ timeMs: instant }),
  result: fc.record({ payload: maybe(payload) }),
  error,
  batch,
  reset: fc.record({ view: uint32, topic: name, epoch: name, offset: uint53, mode }),
  snapshot: fc.record({
    view: uint32,
    topic: name,
    epoch: name,
    offset: uint53,
    publications,
    first: fc.boolean(),
    last: fc.boolean(),
    partial: wish,
  }),
  joined: pushedMember,
  left: pushedMember,
  lagging: fc.record({ views: fc.array(uint32, { maxLength: 3 }) }),
  caughtUp: fc.record({
    view: uint32,
    topic: name,
    epoch: name,
    offset: uint53,
    recovered: fc.boolean(),
    missing: maybe(range),
  }),
  message: fc.record({ type: name, payload }),
  tokenExpiring: fc.record({ expiresMs: instant }),
  gatewayState: fc.record({ degraded: fc.boolean() }),
  goingAway: fc.record({ reconnectDelayMs: uint32, reason: name }),
  dictionary: fc.record({
    dictionary: uint32,
    view: uint32,
    data: fc.uint8Array({ maxLength: 40 }).map((bytes) => Uint8Array.from(bytes)),
    crc32: uint32,
  }),
};

/** Replies carry an id, batches and snapshots don't. */
const idOf = (kind: string) => (kind === 'batch' || kind === 'snapshot' ? fc.constant(0) : uint32);

export function clientFrame(kind: CommandKind): Arbitrary<ClientFrame> {
  return fc.tuple(uint32, commands[kind]).map(([id, fields]) => ({ kind, id, ...fields }) as ClientFrame);
}

export function serverFrame(kind: ServerKind): Arbitrary<ServerFrame> {
  return fc.tuple(idOf(kind), kinds[kind]).map(([id, fields]) => ({ kind, id, ...fields }) as ServerFrame);
}
