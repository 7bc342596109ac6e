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

describe('starting after a position', () => {
  test.each<[string, Topic, Position, object]>([
    [
      'within the ring',
      makeTopic('stream', 3, 8),
      at('E', 5),
      { position: 5, recovered: true, missing: undefined },
    ],
    [
      'at the ring’s reach',
      makeTopic('stream', 3, 8),
      at('E', 3),
      { position: 3, recovered: true, missing: undefined },
    ],
    [
      'one below the reach',
      makeTopic('stream', 3, 8),
      at('E', 2),
      { position: 3, recovered: false, missing: { after: 2, upto: 3 }, outcome: 'gap' },
    ],
    [
      'at the newest',
      makeTopic('stream', 3, 8),
      at('E', 8),
      { position: 8, recovered: true, missing: undefined },
    ],
    [
      'ahead of the newest',
      makeTopic('stream', 3, 8),
      at('E', 9),
      { position: 8, recovered: false, missing: undefined, outcome: 'gap' },
    ],
    [
      'of another epoch',
      makeTopic('stream', 3, 8),
      at('F', 5),
      { position: 3, recovered: false, missing: undefined, outcome: 'gap' },
    ],
    [
      'of a topic that held nothing then, all kept',
      makeTopic('stream', 0, 8),
      at('', 0),
      { position: 0, recovered: true, missing: undefined },
    ],
    [
      'of a topic that held nothing then, some gone',
      makeTopic('stream', 3, 8),
      at('', 0),
      { position: 3, recovered: false, missing: { after: 0, upto: 3 } },
    ],
    [
      'of a topic that held nothing then, in an epoch that begins after 100',
      makeTopic('stream', 100, 105, 'E', 100),
      at('', 0),
      { position: 100, recovered: true, missing: undefined },
    ],
    [
      'of a topic that holds nothing still',
      makeTopic('stream', 0, 0, ''),
      at('', 0),
      { epoch: '', position: 0, recovered: true },
    ],
    [
      'of a topic that holds nothing still, or again: its numbering may have been dropped since',
      new Topic('t', { ...defaultTopic, mode: 'stream' }, new SegmentPool(), () => undefined, 7),
      at('', 0),
      { epoch: '', position: 0, recovered: false, missing: undefined, outcome: 'gap' },
    ],
    [
      'of a topic that was forgotten since',
      makeTopic('stream', 0, 0, ''),
      at('E', 4),
      { epoch: '', position: 0, recovered: false, missing: undefined },
    ],
    [
      'of an emptied ring, at the newest',
      makeTopic('stream', 8, 8),
      at('E', 8),
      { position: 8, recovered: true, missing: undefined },
    ],
    [
      'of an emptied ring, one before the newest',
      makeTopic('stream', 8, 8),
      at('E', 7),
      { position: 8, recovered: false, missing: { after: 7, upto: 8 } },
    ],
    [
      'in state mode within the ring',
      makeTopic('state', 3, 8),
      at('E', 3),
      { position: 3, recovered: true, needsSnapshot: false, outcome: 'recovered' },
    ],
    [
      'in state mode below the reach',
      makeTopic('state', 3, 8),
      at('E', 2),
      { position: 8, recovered: true, missing: undefined, needsSnapshot: true, outcome: 'snapshot' },
    ],
    [
      'in state mode of another epoch',
      makeTopic('state', 3, 8),
      at('F', 5),
      { position: 8, recovered: true, missing: undefined, needsSnapshot: true },
    ],
    [
      'in state mode ahead of the newest',
      makeTopic('state', 3, 8),
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
      const topic = new Topic(
        't',
        { ...defaultTopic, mode: 'stream' },
        new SegmentPool(),
        () => undefined,
        7,
      );
      expect(startSince(topic, at('', 0), { knownSeq }).recovered).toBe(recovered);
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
    [
      'where no member is live, after the newest',
      feedOf(makeTopic('stream', 3, 8), 5, 0),
      0,
      { position: 8 },
    ],
    [
      'where others are live, after what they were sent',
      feedOf(makeTopic('stream', 3, 8), 5, 2),
      0,
      { position: 5 },
    ],
    ['with the last 2', feedOf(makeTopic('stream', 3, 8), 8, 0), 2, { position: 6 }],
    ['with the last 5, which is all', feedOf(makeTopic('stream', 3, 8), 8, 0), 5, { position: 3 }],
    ['with more than there is', feedOf(makeTopic('stream', 3, 8), 8, 0), 100, { position: 3 }],
    [
      'in a topic that holds nothing',
      feedOf(makeTopic('stream', 0, 0, ''), 0, 0),
      0,
      { epoch: '', position: 0 },
    ],
    [
      'in state mode with a snapshot',
      feedOf(makeTopic('state', 3, 8), 5, 2),
      0,
      { position: 8, needsSnapshot: true },
    ],
    [
      'in state mode with the last 2: a map that lacks keys is no state',
      feedOf(makeTopic('state', 3, 8), 8, 0),
      2,
      { position: 8, needsSnapshot: true },
    ],
  ])('%s', (_, feed, last, expected) => {
    const start = startNew(feed, last);
    expect(start).toMatchObject(expected);
    expect([start.recovered, start.missing, start.outcome]).toEqual([undefined, undefined, undefined]);
  });
});
