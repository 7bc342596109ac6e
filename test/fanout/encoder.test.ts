import { randomBytes } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { codecs } from '../../src/protocol/codecs.ts';
import { plainMaxBytes } from '../../src/protocol/inflate.ts';
import { protobufCodec } from '../../src/protocol/protobuf/codec.ts';
import { json } from '../topics/fixtures.ts';
import {
  countingCodec,
  decode,
  decodeBatch,
  makeWorld,
  offsetsOf,
  onlyRoom,
  type WorldOptions,
} from './fixtures.ts';

/** A view of topic `a` with this many members, before whose batches no epoch is announced. */
async function crowd(
  members: number,
  compressMinBytes: number,
  codec = codecs.protobuf,
  options: WorldOptions = {},
) {
  const world = await makeWorld({ compressMinBytes, ...options });
  await world.publish('a');
  const view = world.view('a', { codec });
  for (let i = 0; i < members; i++) world.fanout.addMember(view, world.sink.member);
  return { ...world, view };
}

/** Takes a publication that is larger than what receivers inflate. */
const vast = {
  broker: { payloadMaxBytes: 2 * plainMaxBytes },
};
const update = { payload: json({ cpu: 12.5, memory: 81.25, name: 'web-01', text: 'cpu '.repeat(50) }) };

describe('the work of a publish', () => {
  test('is one encode, one frame and one deflate per view, however many members it has', async () => {
    const { codec, counts } = countingCodec('protobuf');
    const world = await crowd(10_000, 256, codec);
    counts.clear();
    const encode = vi.spyOn(protobufCodec, 'encodePublication');
    await world.publish('a', update, update, update);
    world.turns.settle();
    // For the ring; the view sends the same bytes.
    expect(encode).toHaveBeenCalledTimes(3);
    encode.mockRestore();
    expect([...counts].sort()).toEqual([
      ['frameBatch', 1],
      ['frameCompressedBatch', 1],
    ]);
    expect([world.counts.of('deflatesTotal'), world.sink.frames.length]).toEqual([1, 1]);
  });

  test('is one encode per publication and codec, however many views share it', async () => {
    const { codec, counts } = countingCodec('json');
    const world = await crowd(1, 0, codec);
    const [all, room] = [onlyRoom('1'), onlyRoom('2')];
    for (const filter of [all, room]) world.live('a', { codec, filter });
    for (const intervalMs of [50, 100]) world.live('a', { codec, intervalMs });
    world.live('*', { codec });
    counts.clear();
    await world.publish('a', { ...update, tags: { room: '1' } }, { ...update, tags: { room: '2' } });
    world.turns.advance(1000);
    expect(counts.get('encodePublication')).toBe(2);
    expect(counts.get('frameBatch')).toBe(6);
  });

  test('is a deflate no more once earlier ones have shown that nothing is saved', async () => {
    const { publish, turns, counts } = await crowd(100, 256);
    const batch = async () => {
      await publish('a', { payload: { format: 'binary', bytes: Uint8Array.from(randomBytes(1000)) } });
      turns.advance(20);
    };
    await batch();
    expect(counts.of('deflatesTotal')).toBe(1);
    for (let i = 0; i < 60; i++) await batch();
    const deflates = counts.of('deflatesTotal');
    expect(deflates).toBeLessThan(60);
    for (let i = 0; i < 20; i++) await batch();
    expect(counts.of('deflatesTotal')).toBe(deflates);
  });

  test('is no deflate of a batch that is larger than receivers inflate', async () => {
    const { publish, turns, counts, sink } = await crowd(100, 256, codecs.protobuf, vast);
    const bytes = new Uint8Array(plainMaxBytes);
    await publish('a', { payload: { format: 'binary', bytes } });
    turns.settle();
    expect([counts.of('deflatesTotal'), sink.frames.length]).toEqual([0, 1]);
  });

  test('is nothing for a view without members', async () => {
    const { codec, counts } = countingCodec('protobuf');
    const world = await makeWorld({ compressMinBytes: 1 });
    world.view('a', { codec });
    world.view('*', { codec });
    await world.publish('a', update, update);
    world.turns.advance(60_000);
    expect([counts.size, world.sink.turns]).toEqual([0, 0]);
  });

  test('is not done again where a batch is cut or put off', async () => {
    const { codec, counts } = countingCodec('json');
    const world = await makeWorld({ batch: { maxBytes: 1 } });
    await world.publish('a');
    world.live('a', { codec });
    await world.publish('a', ...Array.from({ length: 100 }, () => update));
    world.turns.settle();
    expect([counts.get('encodePublication'), counts.get('frameBatch')]).toEqual([100, 100]);
  });
});

describe('compression', () => {
  test('pays for many subscribers, and the receiver gets what was published', async () => {
    const { publish, turns, sink, counts, view } = await crowd(1000, 256);
    await publish('a', update, update);
    turns.settle();
    const [frame] = sink.of(view);
    if (frame === undefined) throw new Error('no frame');
    const sent = decode(view.options.codec, frame.bytes);
    expect(sent.kind === 'batch' && sent.compressed !== undefined).toBe(true);
    expect(decodeBatch(frame).publications.map(({ payload }) => payload)).toEqual([
      update.payload,
      update.payload,
    ]);
    expect(frame.bytes.length).toBeLessThan(update.payload.bytes.length);
    expect(counts.of('frameBytesTotal', 'wire')).toBeLessThan(counts.of('frameBytesTotal', 'plain'));
  });

  test('does not pay for one subscriber', async () => {
    const { publish, turns, counts } = await crowd(1, 256);
    await publish('a', update);
    turns.settle();
    expect(counts.of('deflatesTotal')).toBe(0);
  });

  test('is not tried on a batch smaller than the limit, nor where it is off, nor in JSON', async () => {
    for (const world of [
      await crowd(10_000, 2000),
      await crowd(10_000, 0),
      await crowd(10_000, 256, codecs.json),
    ]) {
      await world.publish('a', update);
      world.turns.settle();
      expect([world.counts.of('deflatesTotal'), world.sink.frames.length]).toEqual([0, 1]);
    }
  });

  test('begins at its limit', async () => {
    const plain = await crowd(10_000, 0);
    await plain.publish('a', update);
    plain.turns.settle();
    const plainBytes = plain.counts.of('frameBytesTotal', 'plain');
    for (const [compressMinBytes, deflates] of [
      [plainBytes, 1],
      [plainBytes + 1, 0],
    ] as const) {
      const world = await crowd(10_000, compressMinBytes);
      await world.publish('a', update);
      world.turns.settle();
      expect(world.counts.of('deflatesTotal')).toBe(deflates);
    }
  });

  test('never makes a frame larger, and is given up where nothing shrinks', async () => {
    const { publish, turns, sink, counts, view } = await crowd(10_000, 64);
    const noise = () => ({
      payload: { format: 'binary', bytes: Uint8Array.from(randomBytes(200)) } as const,
    });
    for (let i = 0; i < 60; i++) {
      await publish('a', noise());
      turns.advance(10);
    }
    expect(counts.of('frameBytesTotal', 'wire')).toBeLessThanOrEqual(counts.of('frameBytesTotal', 'plain'));
    expect(counts.of('deflatesTotal')).toBeGreaterThan(0);
    expect(counts.of('deflatesTotal')).toBeLessThan(60);
    expect(sink.of(view).flatMap(offsetsOf)).toEqual(Array.from({ length: 60 }, (_, i) => i + 2));
  });
});
