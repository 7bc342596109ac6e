import { expect, test, vi } from 'vitest';
import { startPattern } from '../../src/catch-up/start-pattern.ts';
import { TopicBacklog } from '../../src/catch-up/topic-backlog.ts';
import { cursorNow, exceptionKey, exceptionText, formatCursor } from '../../src/topics/cursor.ts';
import { makeWorld } from '../fanout/fixtures.ts';

/** `count` topics `p:0` ... with one publication each, and a subscriber that has had all, but not of `p:1`. */
async function continued(count: number, { isFarther = false } = {}) {
  const world = await makeWorld({ broker: { topicsMax: count } });
  const { broker, publish, counts } = world;
  for (let i = 0; i < count; i++) await publish(`p:${i}`, {});
  const { epoch, seq } = broker.commits;
  const exception = exceptionText(exceptionKey('p:*', 'p:1'), {
    seq: isFarther ? seq : 0,
    lacksValues: false,
  });
  const cursor = formatCursor({ epoch, seq: isFarther ? 0 : seq, lacksValues: false }) + exception;
  const options = { broker, modeOf: () => 'stream' as const, metrics: counts.metrics, listedMax: 1000 };
  const { backlog, heldBytes } = startPattern(world.view('p:*'), { topic: 'p:*', cursor }, options);
  return { ...world, backlog, heldBytes, seq };
}

test('a cursor with an exception is exact among 5000 topics', async () => {
  const { backlog } = await continued(5000);
  const { current } = backlog;
  expect(current instanceof TopicBacklog && current.feed.topic.name).toBe('p:1');
  backlog.advance();
  expect(backlog.current).toBeUndefined();
});

test('among more its subscriber is caught up from the earliest position, and its cursors say so', async () => {
  const { backlog } = await continued(5001);
  expect(backlog.lag).toMatchObject({ seq: 0, isRounded: true });
  let sent = 0;
  for (; backlog.current !== undefined; sent++) backlog.advance();
  expect(sent).toBe(5001);
});

test('a cursor on the way names the topics in which the subscriber was further', async () => {
  const { backlog, publish } = await continued(3, { isFarther: true });
  await publish('p:1');
  expect(backlog.lag?.topics?.has('p:1')).toBe(true);
});

test('the lists that are kept for a subscriber are told', async () => {
  const { heldBytes } = await continued(100, { isFarther: true });
  expect(heldBytes).toBe(99 * 8);
});

test('of a state topic that held no value then, the subscriber is sent all values: it may not know the topic', async () => {
  const { broker, publish, view, counts } = await makeWorld({ topic: { mode: 'state' } });
  await publish('p:1', { key: 'a' }, { key: 'a', removed: true });
  await publish('p:2', { key: 'a' });
  const cursor = cursorNow(broker.commits);
  for (const topic of ['p:1', 'p:2']) await publish(topic, { key: 'b' });
  const options = { broker, modeOf: () => 'state' as const, metrics: counts.metrics, listedMax: 1000 };
  const { backlog } = startPattern(view('p:*'), { topic: 'p:*', cursor }, options);
  const lags = [0, 1].map(() => {
    const { current } = backlog;
    backlog.advance();
    return current instanceof TopicBacklog && [current.feed.topic.name, current.lag?.lacksValues];
  });
  expect(lags).toEqual([
    ['p:2', false],
    ['p:1', true],
  ]);
});

test('where topics that are gone can’t be named, the subscriber is sent all values, and drops what it had of others', async () => {
  const { broker, publish, view, counts } = await makeWorld({ topic: { mode: 'state' } });
  await publish('p:1', { key: 'a' });
  const cursor = cursorNow(broker.commits);
  vi.spyOn(broker.commits, 'forgottenSeq', 'get').mockReturnValue(broker.commits.seq + 1);
  const options = { broker, modeOf: () => 'state' as const, metrics: counts.metrics, listedMax: 1000 };
  const positions = [{ topic: 'p:1', epoch: broker.find('p:1')?.epoch ?? '', offset: 1 }];
  const { backlog, result } = startPattern(view('p:*'), { topic: 'p:*', cursor, positions }, options);
  const { current } = backlog;
  expect([result.recovered, result.topics]).toEqual([false, undefined]);
  expect(current instanceof TopicBacklog && current.lag?.lacksValues).toBe(true);
});
