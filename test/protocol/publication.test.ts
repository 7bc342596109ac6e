import { describe, expect, it } from 'vitest';
import { nullPayload } from '../../src/protocol/payload.ts';
import {
  besideRows,
  fieldRows,
  hasBeside,
  hasOptionalFields,
  hasSeenFields,
  type PublishFields,
  publishFrom,
  publishOf,
  seenRows,
} from '../../src/protocol/publication.ts';

const members: Required<PublishFields> = {
  topic: 't',
  type: 'u',
  payload: nullPayload,
  key: 'k',
  tags: { a: 'b' },
  messageId: 'm',
  except: 's',
  ttlMs: 9,
  timestampMs: 5,
  removed: true,
  expectedOffset: 7,
  pipelined: true,
};

const bare = publishOf({ topic: 't', type: 'u', payload: nullPayload });

describe('what asks for optional fields', () => {
  for (const { name, has, rows } of [
    { name: 'hasOptionalFields', has: hasOptionalFields, rows: fieldRows },
    { name: 'hasSeenFields', has: hasSeenFields, rows: seenRows },
    { name: 'hasBeside', has: hasBeside, rows: besideRows },
  ]) {
    it(`${name} finds each of its rows, and nothing else`, () => {
      expect(has(bare)).toBe(false);
      const found = fieldRows.filter(({ name: row }) => has({ ...bare, [row]: members[row] }));
      expect(found.map((row) => row.name).sort()).toEqual(rows.map((row) => row.name).sort());
    });
  }
});

describe('a publish with another payload', () => {
  const payload = { format: 'binary', bytes: new Uint8Array([7]) } as const;

  it('has all its other members, and leaves out what else a frame has', () => {
    const frame = { kind: 'publish', id: 1, ...members };
    expect(publishFrom(frame, payload)).toStrictEqual({ ...members, payload });
    expect(frame.payload).toBe(nullPayload);
  });

  it('has no member that the publish lacks', () => {
    expect(publishFrom(bare, payload)).toStrictEqual({ ...bare, payload });
  });
});
