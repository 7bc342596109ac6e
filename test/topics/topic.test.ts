import { describe, expect, test } from 'vitest';
import type { StoredTopic } from '../../src/topics/engine.ts';
import { SegmentPool } from '../../src/topics/segment-pool.ts';
import { Topic } from '../../src/topics/topic.ts';
import { defaultTopic, stored } from './fixtures.ts';

function makeTopic(options: Partial<typeof defaultTopic> = {}): Topic {
  return new Topic('t', { ...defaultTopic, ...options }, new SegmentPool(), () => {});
}

/** It has had the publications 1 to `newest`. */
function appliedTo(newest: number, epoch = 'former'): Topic {
  const topic = makeTopic();
  for (let offset = 1; offset <= newest; offset++) topic.apply(epoch, [stored(offset)]);
  return topic;
}

const numbering = { epoch: 'old', offset: 7, seq: 40, bornAfterSeq: 5 };

describe('a topic', () => {
  test('resumes a numbering whose content is gone: nothing before it can be had', () => {
    const topic = makeTopic();
    topic.resume(numbering);
    expect(topic).toMatchObject({ epoch: 'old', seq: 40, bornAfterSeq: 5, startOffset: 0 });
    expect(topic.ring).toMatchObject({ newest: 7, reach: 7, count: 0, evictedSeq: 40 });
    topic.apply('old', [stored(8)]);
    expect([topic.position, topic.seq]).toEqual([{ epoch: 'old', offset: 8 }, 8]);
  });

  test('begins a new epoch after the offset of a reset: what it held belongs to another', () => {
    const topic = makeTopic({ mode: 'state' });
    topic.apply('E', [stored(1, { key: 'a' }), stored(2, { key: 'b' })]);
    topic.reset('new', 9);
    expect(topic).toMatchObject({
      epoch: 'new',
      startOffset: 9,
      seq: 2,
      bornAfterSeq: 2,
      holdsContent: false,
    });
    expect(topic.ring).toMatchObject({ newest: 9, reach: 9, evictedSeq: 2 });
    topic.resume(numbering);
    expect(topic.startOffset).toBe(0);
  });

  test('knows its first publication of each numbering', () => {
    const topic = appliedTo(2);
    expect(topic.firstSeq).toBe(1);
    topic.reset('new', 2);
    expect(topic.firstSeq).toBe(0);
    topic.apply('new', [stored(3), stored(4)]);
    expect(topic.firstSeq).toBe(3);
  });

  test('is filled with what an engine kept: what is before it was of the same epoch', () => {
    const topic = makeTopic({ mode: 'state' });
    const publications = [stored(6, {}, 50), stored(7, { key: 'b' }, 60)];
    topic.fill({
      ...numbering,
      evictedSeq: 33,
      publications,
      state: [stored(2, { key: 'a' }), ...publications],
    });
    expect(topic).toMatchObject({
      epoch: 'old',
      seq: 40,
      bornAfterSeq: 5,
      startOffset: 0,
      lastPublishedAtMs: 60,
    });
    expect(topic.ring).toMatchObject({ newest: 7, reach: 5, evictedSeq: 33 });
    expect(topic.state?.size).toBe(3);
  });

  test.each<[string, Topic, Partial<StoredTopic>, number | undefined, number]>([
    ['of a topic that held nothing, from the beginning', makeTopic(), {}, undefined, 0],
    [
      'that began after all that was known, from the beginning',
      appliedTo(2),
      { bornAfterSeq: 2 },
      undefined,
      0,
    ],
    ['with what came since alone', appliedTo(6), { bornAfterSeq: 1 }, undefined, 6],
    ['with nothing where nothing came since', appliedTo(7), { bornAfterSeq: 1 }, undefined, 7],
    ['with what came since the last commit in common', appliedTo(7), { bornAfterSeq: 1 }, 5, 5],
    ['in the epoch that it has, from where that began', appliedTo(2, 'old'), {}, undefined, 0],
  ])('is filled anew, and subscribers continue %s', (...[, topic, more, commonSeq, startOffset]) => {
    const publications = [stored(5), stored(6), stored(7)];
    const filled = { ...numbering, bornAfterSeq: 0, evictedSeq: 4, publications, state: [], ...more };
    topic.refill(filled, commonSeq);
    expect(topic).toMatchObject({ epoch: 'old', startOffset, ring: { reach: 4, newest: 7 } });
  });

  test('may have had a numbering that this node does not know', () => {
    const topic = makeTopic();
    topic.wasUnheardUpto(7);
    topic.wasUnheardUpto(5);
    expect(topic.bornAfterSeq).toBe(7);
  });

  test('is filled with a numbering alone where nothing was kept', () => {
    const topic = makeTopic();
    topic.fill({ ...numbering, evictedSeq: 40, publications: [], state: [] });
    expect([topic.position.offset, topic.lastPublishedAtMs, topic.holdsContent]).toEqual([7, 0, false]);
  });
});
