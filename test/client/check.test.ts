import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkedFields } from '../../src/client/check.ts';
import { clientFrame as frames } from '../../src/client/wire/tables.ts';
import { readClientFrame } from '../../src/protocol/client-frames.ts';
import type { Dialect } from '../../src/protocol/fields.ts';
import type { CommandKind, Payload } from '../../src/protocol/frames.ts';
import { clientFrame } from '../support/arbitraries.ts';

/** Fields as values of the program that has them. */
const plain: Dialect = {
  eventMember: 'type',
  instant: (raw, name) => {
    const value = raw[name] ?? null;
    return typeof value === 'number' || value === null ? value : undefined;
  },
  payload: (raw) => (raw['payload'] as Payload | undefined) ?? null,
  bytes: () => undefined,
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

/** A publish that the gateway's broker refuses, which judges its lengths; the client knows of coarser limits. */
function isFarTooLong(values: Record<string, unknown>): boolean {
  return Object.entries(values).some(([name, value]) => {
    if (name === 'none' || name === 'payload') return false;
    if (typeof value === 'string') return value.length > 1024;
    return name === 'tags' && typeof value === 'object' && Object.keys(value ?? {}).length > 64;
  });
}

function byGateway(kind: CommandKind, values: Record<string, unknown>): Verdict {
  if (kind === 'publish' && isFarTooLong(values)) return 'refused';
  const read = readClientFrame(kind, 0, values, plain);
  if (!read.ok) return 'refused';
  const { kind: _kind, id: _id, ...fields } = read.frame;
  return fields;
}

const kinds = ['publish', 'history', 'presence', 'refresh', 'connect', 'status'] as const;

const anything = fc.oneof(
  fc.constantFrom(undefined, null, '', 0, 1, -1, 1.5, Number.NaN, true, false, 2 ** 32, 2 ** 53, 2 ** 60),
  fc.constantFrom('\ud800', 'user:a b*', 'user:%40', 'x'.repeat(1024), 'x'.repeat(1025), 'x'.repeat(16_385)),
  fc.constantFrom(253_402_300_799_999, 253_402_300_800_000, 0xffff_ffff, Number.MAX_SAFE_INTEGER),
  fc.constantFrom([], {}, { a: 'b' }, { a: 1 }, { '\ud800': 'b' }, { a: undefined }),
  fc
    .constantFrom(64, 65)
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
