import { describe, expect, test } from 'vitest';
import { startNew, startSince } from '../../src/catch-up/start-topic.ts';
import { Feed, View } from '../../src/fanout/view.ts';
import type { Position } from '../../src/protocol/frames.ts';
import { SegmentPool } from '../../src/topics/segment-pool.ts';
import { Topic } from '../../src/topics/topic.ts';
import { viewOptions } from '../fanout/fixtures.ts';
import { defaultTopic, stored } from '../topics/fixtures.ts';

/** A topic of which the ring holds (reach, newest]. */
function makeTopic(mode: 'stream' | 'state', reach: number, newest: number, epoch = 'E', start = 0): Topic {
  const topic = new Topic(
    't',
    { ...defaultTopic, mode, maxPublications: newest - reach || 1 },
    new SegmentPool(),
    () => undefined,
  );
  topic.reset(epoch, start);
  for (let offset = start + 1; offset <= newest; offset++) topic.apply(epoch, [stored(offset)]);
  if (newest === reach) topic.ring.evictAll();
  return topic;
}

const at = (epoch: string, offset: number): Position => ({ epoch, offset });
/** Holds (3, 8]. */
const stream = makeTopic('stream', 3, 8);
const state = makeTopic('state', 3, 8);
const unknown = makeTopic('stream', 0, 0, '');
/** One that may have had another numbering up to commit 7. */
const dropped = new Topic('t', { ...defaultTopic, mode: 'stream' }, new SegmentPool(), () => undefined, 7);

/** What is told of a stream. */
const recovered = (position: number) => ({ position, recovered: true, missing: undefined });
const gap = (position: number, missing?: object) => ({ position, recovered: false, missing, outcome: 'gap' });

describe('starting after a position', () => {
  test.each<[string, Topic, Position, object]>([
    ['within the ring', stream, at('E', 5), recovered(5)],
    ['at the ring’s reach', stream, at('E', 3), recovered(3)],
    ['one below the reach', stream, at('E', 2), gap(3, { after: 2, upto: 3 })],
    ['at the newest', stream, at('E', 8), recovered(8)],
    ['ahead of the newest', stream, at('E', 9), gap(8)],
    ['of another epoch', stream, at('F', 5), gap(3)],
    ['of a topic that held nothing then, all kept', makeTopic('stream', 0, 8), at('', 0), recovered(0)],
    ['of a topic that held nothing then, some gone', stream, at('', 0), gap(3, { after: 0, upto: 3 })],
    [
      'of a topic that held nothing then, in an epoch that begins after 100',
      makeTopic('stream', 100, 105, 'E', 100),
      at('', 0),
      recovered(100),
    ],
    ['of a topic that holds nothing still', unknown, at('', 0), { epoch: '', position: 0, recovered: true }],
    [
      'of a topic that holds nothing still, or again: its numbering may have been dropped since',
      dropped,
      at('', 0),
      { epoch: '', position: 0, recovered: false, missing: undefined, outcome: 'gap' },
    ],
    [
      'of a topic that was forgotten since',
      unknown,
      at('E', 4),
      { epoch: '', position: 0, recovered: false, missing: undefined },
    ],
    ['of an emptied ring, at the newest', makeTopic('stream', 8, 8), at('E', 8), recovered(8)],
    [
      'of an emptied ring, one before the newest',
      makeTopic('stream', 8, 8),
      at('E', 7),
      gap(8, { after: 7, upto: 8 }),
    ],
    [
      'in state mode within the ring',
      state,
      at('E', 3),
      { position: 3, recovered: true, needsSnapshot: false, outcome: 'recovered' },
    ],
    [
      'in state mode below the reach',
      state,
      at('E', 2),
      { position: 8, recovered: true, missing: undefined, needsSnapshot: true, outcome: 'snapshot' },
    ],
    [
      'in state mode of another epoch',
      state,
      at('F', 5),
      { position: 8, recovered: true, missing: undefined, needsSnapshot: true },
    ],
    [
      'in state mode ahead of the newest',
      state,
      at('E', 9),
      { position: 8, recovered: true, needsSnapshot: true },
    ],
  ])('%s', (_, topic, since, expected) => {
    expect(startSince(topic, since)).toMatchObject(expected);
  });

  test.each([
    [6, false],
    [7, true],
  ])(
    'a client that knew an empty topic at commit %i is told whether its numbering was dropped since',
    (knownSeq, recovered) => {
      expect(startSince(dropped, at('', 0), { knownSeq }).recovered).toBe(recovered);
    },
  );

  test.each(['stream', 'state'] as const)('a node that lags sends back no client of another: %s', (mode) => {
    const start = startSince(makeTopic(mode, 3, 8), at('E', 9), { isShared: true });
    expect(start).toMatchObject({ position: 9, recovered: true, missing: undefined, needsSnapshot: false });
  });
});

describe('starting anew', () => {
  function feedOf(topic: Topic, sentUpto: number, members: number): Feed {
    const view = new View(1, viewOptions('t'));
    for (let i = 0; i < members; i++) view.addMember(0);
    const feed = new Feed(view, topic);
    feed.sent(sentUpto, 0);
    return feed;
  }

  test.each<[string, Feed, number, object]>([
    ['where no member is live, after the newest', feedOf(stream, 5, 0), 0, { position: 8 }],
    ['where others are live, after what they were sent', feedOf(stream, 5, 2), 0, { position: 5 }],
    ['with the last 2', feedOf(stream, 8, 0), 2, { position: 6 }],
    ['with the last 5, which is all', feedOf(stream, 8, 0), 5, { position: 3 }],
    ['with more than there is', feedOf(stream, 8, 0), 100, { position: 3 }],
    ['in a topic that holds nothing', feedOf(unknown, 0, 0), 0, { epoch: '', position: 0 }],
    ['in state mode with a snapshot', feedOf(state, 5, 2), 0, { position: 8, needsSnapshot: true }],
    [
      'in state mode with the last 2: a map that lacks keys is no state',
      feedOf(state, 8, 0),
      2,
      { position: 8, needsSnapshot: true },
    ],
  ])('%s', (_, feed, last, expected) => {
    const start = startNew(feed, last);
    expect(start).toMatchObject(expected);
    expect([start.recovered, start.missing, start.outcome]).toEqual([undefined, undefined, undefined]);
  });
});
