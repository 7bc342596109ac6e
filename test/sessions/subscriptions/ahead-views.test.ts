import { describe, expect, test } from 'vitest';
import { TopicBacklog } from '../../../src/catch-up/topic-backlog.ts';
import type { OutFrame } from '../../../src/fanout/sink.ts';
import { type Feed, View } from '../../../src/fanout/view.ts';
import { AheadViews } from '../../../src/sessions/subscriptions/ahead-views.ts';
import { SegmentPool } from '../../../src/topics/segment-pool.ts';
import { Topic } from '../../../src/topics/topic.ts';
import { viewOptions } from '../../fanout/fixtures.ts';
import { defaultTopic, stored } from '../../topics/fixtures.ts';

function topicNamed(name: string): Topic {
  return new Topic(name, defaultTopic, new SegmentPool(), () => undefined);
}

/** Publications of these offsets, which are their commits too, wait for a flush. */
function publish(feed: Feed, from: number, to: number): void {
  for (let offset = from; offset <= to; offset++) feed.topic.apply('E', [stored(offset)]);
  feed.queued(to - from + 1, 100, from);
}

function frame(feed: Feed, after: number, upto: number): OutFrame {
  return {
    view: feed.view,
    bytes: new Uint8Array(1),
    feed,
    epoch: feed.epoch,
    after,
    upto,
    publications: upto - after,
  };
}

/** A view with a member, and a session that joins it when it has had three publications that wait for the flush. */
function aheadOf(target: 't' | '*', known: number) {
  const view = new View(1, viewOptions(target));
  view.addMember(0);
  const topic = topicNamed('t');
  for (let offset = 1; offset <= known; offset++) topic.apply('E', [stored(offset)]);
  const feed = view.addFeed(topic);
  publish(feed, known + 1, known + 3);
  const ahead = new AheadViews();
  const backlog = target === 't' ? new TopicBacklog(feed, 'E', known + 3) : undefined;
  ahead.add(view, backlog, { seq: known + 3, changes: 0 });
  return { view, feed, ahead };
}

describe.each(['t', '*'] as const)('a session that joined %s ahead of its members', (target) => {
  test.each([
    ['a topic that they know', 4],
    ['a topic that was empty until now', 0],
  ])('gets nothing twice of %s', (_, known) => {
    const { feed, ahead } = aheadOf(target, known);
    expect(ahead.overlap(frame(feed, known, known + 2))).toBe('all');
    expect(ahead.overlap(frame(feed, known + 2, known + 3))).toBe('all');
    expect(ahead.overlap(frame(feed, known + 3, known + 5))).toBe('nothing');
  });

  test.each([
    ['a topic that they know', 4],
    ['a topic that was empty until now', 0],
  ])('is told of a frame of which it has had a part, of %s', (_, known) => {
    const { feed, ahead } = aheadOf(target, known);
    publish(feed, known + 4, known + 4);
    expect(ahead.overlap(frame(feed, known, known + 4))).toBe('some');
  });

  test.each([
    ['a topic that they know', 4],
    ['a topic that was empty until now', 0],
  ])('lacks only what it has not had, when it lags, of %s', (_, known) => {
    const { view, feed, ahead } = aheadOf(target, known);
    const lost = new Map([[feed, { epoch: feed.epoch, offset: known }]]);
    expect(ahead.lackingAfter(view, lost).get(feed)).toEqual({ epoch: 'E', offset: known + 3 });
    expect(ahead.lackingAfter(view, new Map()).get(feed)).toEqual({ epoch: 'E', offset: known + 3 });
  });

  test('is no longer ahead when it leaves', () => {
    const { view, ahead } = aheadOf(target, 4);
    expect([ahead.isEmpty, ahead.get(view)?.seq]).toEqual([false, 7]);
    ahead.delete(view);
    expect([ahead.isEmpty, ahead.get(view)]).toEqual([true, undefined]);
  });

  test('gets all of a topic that began anew after it joined', () => {
    const { view, feed, ahead } = aheadOf(target, 4);
    feed.topic.reset('F', 0);
    feed.restarted();
    expect(ahead.overlap(frame(feed, 0, 0))).toBe('nothing');
    expect(ahead.lackingAfter(view, new Map([[feed, { epoch: 'E', offset: 4 }]])).get(feed)).toEqual({
      epoch: 'E',
      offset: 4,
    });
  });
});

test('a session that joins with its members has had nothing more than they', () => {
  const view = new View(1, viewOptions('t'));
  view.addMember(0);
  const feed = view.addFeed(topicNamed('t'));
  const ahead = new AheadViews();
  ahead.add(view, new TopicBacklog(feed, '', 0), { seq: 0, changes: 0 });
  publish(feed, 1, 3);
  expect(ahead.get(view)).toBeUndefined();
  expect(ahead.overlap(frame(feed, 0, 3))).toBe('nothing');
});
