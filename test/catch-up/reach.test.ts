import { describe, expect, test } from 'vitest';
import { catchUp } from '../../src/catch-up/catch-up.ts';
import { PageCache } from '../../src/catch-up/page-cache.ts';
import { startTopic } from '../../src/catch-up/start-topic.ts';
import { TopicBacklog } from '../../src/catch-up/topic-backlog.ts';
import type { Feed, View } from '../../src/fanout/view.ts';
import type { Subscription } from '../../src/protocol/frames.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { AheadViews } from '../../src/sessions/subscriptions/ahead-views.ts';
import { cursorNow } from '../../src/topics/cursor.ts';
import { decode, makeWorld, topicOf } from '../fanout/fixtures.ts';

const sent = 3;
const newest = 28;
const burst = Array.from({ length: newest - sent }, () => ({}));

/**
 * The members of a view were sent 3 publications. A burst of 25 waits for the flush, of which the ring holds the last
 * 10. Offsets are commits, too.
 */
async function afterBurst(target: 'a' | '*') {
  const world = await makeWorld({ topic: { maxPublications: 10 } });
  const view = world.live(target);
  for (let i = 0; i < sent; i++) {
    await world.publish('a');
    world.turns.advance(10);
  }
  await world.publish('a', ...burst);
  const feed = view.feedOf(topicOf(world.broker, 'a')) as Feed;
  expect([feed.position, feed.topic.ring.reach]).toEqual([sent, newest - 10]);
  return { ...world, view, feed, epoch: feed.topic.epoch };
}

describe('what a burst has evicted, and a view has still to send', () => {
  const start = async (from: (at: { epoch: string; cursor: (seq: number) => string }) => object) => {
    const { broker, feed, epoch, counts } = await afterBurst('a');
    const cursor = (seq: number) => cursorNow({ epoch: broker.commits.epoch, seq });
    const subscription: Subscription = { topic: 'a', ...from({ epoch, cursor }) };
    const options = { broker, modeOf: () => 'stream' as const, metrics: counts.metrics };
    return startTopic(feed, subscription, options).result;
  };

  test.each([
    ['the members’ position', sent],
    ['a later position', 10],
    ['the ring’s reach', newest - 10],
  ])('is not lost for a subscriber at %s', async (_, offset) => {
    const expected = { recovered: true, offset, missing: undefined };
    expect(await start(({ epoch }) => ({ since: { epoch, offset } }))).toMatchObject(expected);
  });

  test.each([10, newest - 10])('is not lost for a subscriber with the cursor of commit %i', async (seq) => {
    const expected = { recovered: true, offset: seq, missing: undefined };
    expect(await start(({ cursor }) => ({ cursor: cursor(seq) }))).toMatchObject(expected);
  });

  test('is not named as lost to a subscriber that lacks earlier ones', async () => {
    const since = await start(({ epoch }) => ({ since: { epoch, offset: 1 } }));
    expect(since).toMatchObject({ recovered: false, offset: sent, missing: { after: 1, upto: sent } });
    const cursor = await start((at) => ({ cursor: at.cursor(1) }));
    expect(cursor).toMatchObject({ recovered: false, offset: sent, missing: { after: 0, upto: sent } });
  });

  test('is not named as lost in a catch-up', async () => {
    const { broker, view, feed, epoch, counts } = await afterBurst('a');
    const frames: ServerFrame[] = [];
    const receiver = {
      id: 'me',
      endForUnnamedLoss: () => undefined,
      hasRoom: () => true,
      sendBytes: (message: Uint8Array) => frames.push(decode(view.options.codec, message)),
      sendFrame: (frame: ServerFrame) => frames.push(frame),
    };
    const pages = new PageCache({ maxBytes: 65_536, compressMinBytes: 256, metrics: counts.metrics });
    const options = {
      nowMs: () => broker.nowMs(),
      pageBytes: 1000,
      modeOf: () => 'stream' as const,
      pages,
      metrics: counts.metrics,
    };
    expect(catchUp(receiver, view, new TopicBacklog(feed, epoch, 1), options)).toBe(true);
    expect(frames).toMatchObject([
      { kind: 'caughtUp', recovered: false, offset: sent, missing: { after: 1, upto: sent } },
    ]);
  });
});

describe('a session that joins ahead of such a burst', () => {
  const frame = (view: View, feed: Feed, after: number, upto: number) => ({
    view,
    feed,
    epoch: feed.epoch,
    after,
    upto,
    bytes: new Uint8Array(1),
    publications: upto - after,
  });

  test.each(['a', '*'] as const)('gets nothing twice of %s', async (target) => {
    const { broker, view, feed, publish, epoch } = await afterBurst(target);
    const ahead = new AheadViews();
    const backlog = target === 'a' ? new TopicBacklog(feed, epoch, newest) : undefined;
    ahead.add(view, backlog, broker.commits);
    await publish('a', ...burst);
    expect(feed.topic.ring.reach).toBeGreaterThan(newest);
    expect(ahead.overlap(frame(view, feed, sent, newest))).toBe('all');
    expect(ahead.overlap(frame(view, feed, sent, newest + 1))).toBe('some');
    expect(ahead.lackingAfter(view, new Map()).get(feed)).toEqual({ epoch, offset: newest });
  });

  test('has not had what the ring did not hold when it joined', async () => {
    const { view, feed, epoch } = await afterBurst('a');
    const ahead = new AheadViews();
    ahead.add(view, new TopicBacklog(feed, epoch, 10), { seq: newest, changes: 0 });
    expect(ahead.overlap(frame(view, feed, sent, 10))).toBe('all');
    expect(ahead.overlap(frame(view, feed, 10, newest))).toBe('nothing');
  });
});

test.each([
  [newest - 11, { recovered: false, missing: { after: 0, upto: newest - 10 } }],
  [newest - 10, { recovered: true, missing: undefined }],
])(
  'the first subscriber of a topic, with the cursor of commit %i, is told of a loss at once',
  async (seq, told) => {
    const { broker, publish, view: viewOf, counts } = await makeWorld({ topic: { maxPublications: 10 } });
    await publish('a', ...Array.from({ length: newest }, () => ({})));
    const feed = viewOf('a').feedOf(topicOf(broker, 'a')) as Feed;
    const cursor = cursorNow({ epoch: broker.commits.epoch, seq });
    const options = { broker, modeOf: () => 'stream' as const, metrics: counts.metrics };
    expect(startTopic(feed, { topic: 'a', cursor }, options).result).toMatchObject(told);
  },
);

describe('how far a subscriber is that values are sent to', () => {
  async function withValues() {
    const { broker, live, publish } = await makeWorld();
    const view = live('state');
    await publish('state', { key: 'a' }, { key: 'b' });
    const feed = view.feedOf(topicOf(broker, 'state')) as Feed;
    return new TopicBacklog(feed, feed.topic.epoch, feed.topic.ring.newest);
  }

  test('says that it lacks values until the last of them was sent', async () => {
    const backlog = await withValues();
    expect(backlog.lag).toBeUndefined();
    backlog.takeSnapshot(0);
    expect(backlog.lag).toEqual({ seq: 2, lacksValues: true });
    backlog.snapshotSent();
    expect(backlog.lag).toBeUndefined();
  });

  test('says so before its turn has come', async () => {
    const { feed } = await withValues();
    expect(TopicBacklog.ofAllValues(feed).lag).toEqual({ seq: 2, lacksValues: true });
  });
});
