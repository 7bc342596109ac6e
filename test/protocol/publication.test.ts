import { describe, expect, it } from 'vitest';
import { nullPayload } from '../../src/protocol/payload.ts';
import { type PublishFields, publishFrom, publishOf } from '../../src/protocol/publication.ts';

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
};

describe('a publish with another payload', () => {
  const payload = { format: 'binary', bytes: new Uint8Array([7]) } as const;

  it('has all its other members, and leaves out what else a frame has', () => {
    const frame = { kind: 'publish', id: 1, ...members };
    expect(publishFrom(frame, payload)).toStrictEqual({ ...members, payload });
    expect(frame.payload).toBe(nullPayload);
  });

  it('lacks what the publish lacks', () => {
    const bare = publishOf({ topic: 't', type: 'u', payload: nullPayload });
    expect(publishFrom(bare, payload)).toStrictEqual({ ...bare, payload });
  });
});
