import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkedFields } from '../../src/client/check.ts';
import { clientFrame as frames } from '../../src/client/wire/tables.ts';
import type { ClientFrame, CommandKind } from '../../src/protocol/client-frames.ts';
import { readClientFrame } from '../../src/protocol/client-frames.ts';
import type { Dialect } from '../../src/protocol/fields.ts';
import type { Payload } from '../../src/protocol/frames.ts';
import { publishProblem } from '../../src/topics/publish-problem.ts';
import { clientFrame } from '../support/arbitraries.ts';

/** Fields as values of the program that has them. */
const plain: Dialect = {
  eventMember: 'type',
  instant: (raw, name) => {
    const value = raw[name] ?? null;
    return typeof value === 'number' || value === null ? value : undefined;
  },
  payload: (raw) => (raw['payload'] as Payload | undefined) ?? null,
  operator: (value) => value,
};

type Verdict = Readonly<Record<string, unknown>> | 'refused';

function byClient(kind: CommandKind, values: Record<string, unknown>): Verdict {
  try {
    return checkedFields(frames.find(({ name }) => name === kind)?.fields ?? [], values);
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid_request' });
    return 'refused';
  }
}

/**
 * A publish whose optional fields the broker refuses. Topics and types have error codes of their own, so the client
 * leaves them to the gateway, up to the length of any text.
 */
function isRefused(frame: ClientFrame): boolean {
  if (frame.kind !== 'publish') return false;
  const members = { ...frame, type: 'update', expectedOffset: undefined };
  return (
    frame.topic.length > 1024 ||
    frame.type.length > 1024 ||
    publishProblem(members, Number.POSITIVE_INFINITY) !== undefined
  );
}

function byGateway(kind: CommandKind, values: Record<string, unknown>): Verdict {
  const read = readClientFrame(kind, 0, values, plain);
  if (!read.ok || isRefused(read.frame)) return 'refused';
  const { kind: _kind, id: _id, ...fields } = read.frame;
  return fields;
}

const kinds = ['publish', 'history', 'presence', 'refresh', 'connect', 'status'] as const;

const anything = fc.oneof(
  fc.constantFrom(undefined, null, '', 0, 1, -1, 1.5, Number.NaN, true, false, 2 ** 32, 2 ** 53, 2 ** 60),
  fc.constantFrom('\ud800', 'user:a b*', 'user:%40', 'x'.repeat(1024), 'x'.repeat(1025), 'x'.repeat(16_385)),
  fc.constantFrom(
    'x'.repeat(200),
    'x'.repeat(201),
    { ['x'.repeat(200)]: '' },
    { ['x'.repeat(201)]: '' },
    { '': 'b' },
  ),
  fc.constantFrom({ a: 'x'.repeat(200) }, { a: 'x'.repeat(201) }),
  fc.constantFrom(253_402_300_799_999, 253_402_300_800_000, 0xffff_ffff, Number.MAX_SAFE_INTEGER),
  fc.constantFrom([], {}, { a: 'b' }, { a: 1 }, { '\ud800': 'b' }, { a: undefined }),
  fc
    .constantFrom(32, 33)
    .map((many) => Object.fromEntries(Array.from({ length: many }, (_, i) => [`k${i}`, 'v']))),
  fc.string(),
);

describe.each(kinds)("the client's check of %s", (kind) => {
  it('lets through what the gateway takes', () => {
    fc.assert(
      fc.property(clientFrame(kind), ({ kind: _kind, id: _id, ...fields }) => {
        expect(byClient(kind, fields)).toEqual(byGateway(kind, fields));
      }),
    );
  });

  it('refuses what the gateway refuses, and nothing else', () => {
    const names = (frames.find(({ name }) => name === kind)?.fields ?? [])
      .filter(({ many, type }) => many === '' && !'jkJK'.includes(type))
      .map(({ name }) => name);
    fc.assert(
      fc.property(
        clientFrame(kind),
        fc.dictionary(fc.constantFrom('none', ...names), anything, { noNullPrototype: true }),
        ({ kind: _kind, id: _id, ...fields }, changes) => {
          const values = { ...fields, ...changes };
          expect(byClient(kind, values)).toEqual(byGateway(kind, values));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe("the client's check of a publish", () => {
  const base = { topic: 't', type: 'update' };
  const manyTags = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, 'v']));

  it.each([
    ['a key', { key: 'x'.repeat(200) }, { key: 'x'.repeat(201) }],
    ['a message id', { messageId: 'x'.repeat(200) }, { messageId: 'x'.repeat(201) }],
    ['an excepted session', { except: 'x'.repeat(200) }, { except: 'x'.repeat(201) }],
    ['the number of tags', { tags: manyTags(32) }, { tags: manyTags(33) }],
    ['the name of a tag', { tags: { ['x'.repeat(200)]: '' } }, { tags: { ['x'.repeat(201)]: '' } }],
    ['the value of a tag', { tags: { a: 'x'.repeat(200) } }, { tags: { a: 'x'.repeat(201) } }],
    ['the shortest name of a tag', { tags: { a: '' } }, { tags: { '': '' } }],
  ])('limits %s', (_what, fits, exceeds) => {
    expect(byClient('publish', { ...base, ...fits })).toMatchObject(fits);
    expect(byClient('publish', { ...base, ...exceeds })).toBe('refused');
  });
});
