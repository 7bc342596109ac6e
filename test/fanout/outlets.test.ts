import { expect, test } from 'vitest';
import { FakeSink, makeWorld, viewOptions } from './fixtures.ts';

async function makeSinks(...budgets: number[]) {
  const world = await makeWorld();
  const sinks = budgets.map((budget) => new FakeSink(() => world.turns.nowMs(), budget));
  /** A view of this topic with a member in each of these sinks. The topic has published, and a turn is over. */
  const live = async (target: string, ...members: FakeSink[]) => {
    const view = world.fanout.attach(viewOptions(target));
    for (const { member } of members) world.fanout.addMember(view, member);
    await world.publish(target);
    world.turns.settle();
    world.turns.advance(100);
    for (const sink of members) sink.frames.length = 0;
    return view;
  };
  const publishAll = async (topics: readonly string[]) => {
    for (const topic of topics) await world.publish(topic);
  };
  return { ...world, sinks: sinks as [FakeSink, FakeSink], live, publishAll };
}

const topics = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}:${i}`);

test.each([
  [1, [1]],
  [2, [2]],
  [3, [2, 1]],
  [5, [2, 2, 1]],
])('%d frames of a sink that takes 2 a turn go in turns of %j', async (count, expected) => {
  const { sinks, live, publishAll, turns } = await makeSinks(2, 31);
  for (const topic of topics('a', count)) await live(topic, sinks[0]);
  await publishAll(topics('a', count));
  turns.settle();
  expect(sinks[0].perTurn()).toEqual(expected);
});

test('a sink that has had its frames of a turn does not hold up another', async () => {
  const { sinks, live, publishAll, turns } = await makeSinks(2, 31);
  for (const topic of topics('small', 10)) await live(topic, sinks[0]);
  for (const topic of topics('large', 20)) await live(topic, sinks[1]);
  await publishAll([...topics('small', 10), ...topics('large', 20)]);
  turns.settle();
  expect([sinks[0].perTurn(), sinks[1].perTurn()]).toEqual([[2, 2, 2, 2, 2], [20]]);
});

test('a view with members in two sinks is published to both, within the smaller budget, in order', async () => {
  const { sinks, live, publishAll, turns } = await makeSinks(2, 31);
  for (const topic of topics('both', 5)) await live(topic, ...sinks);
  await publishAll(topics('both', 5));
  turns.settle();
  expect(sinks.map((sink) => sink.perTurn())).toEqual([
    [2, 2, 1],
    [2, 2, 1],
  ]);
  expect(sinks[0].frames.map(({ bytes }) => bytes)).toEqual(sinks[1].frames.map(({ bytes }) => bytes));
  expect(sinks[0].frames[0]?.bytes).toBe(sinks[1].frames[0]?.bytes);
});

test('notices wait for a budget of their sink, ahead of the batches', async () => {
  const { sinks, live, fanout, turns, publish } = await makeSinks(2, 31);
  const view = await live('a', sinks[0]);
  const other = await live('b', sinks[1]);
  for (let i = 0; i < 3; i++) {
    for (const each of [view, other])
      fanout.announce(each, { kind: 'joined', id: 0, topic: 'a', member: { session: `s${i}`, sinceMs: 0 } });
  }
  await publish('a');
  turns.settle();
  expect([sinks[0].perTurn(), sinks[1].perTurn()]).toEqual([[2, 2], [3]]);
  expect(sinks[0].frames.map(({ publications }) => publications)).toEqual([0, 0, 0, 1]);
});

test('a sink without members is asked nothing any more, and another one may take its place', async () => {
  const { sinks, live, fanout, publishAll, turns } = await makeSinks(2, 2);
  const view = await live('a', sinks[0]);
  fanout.removeMember(view, sinks[0].member);
  await live('b', sinks[1]);
  const { turns: begun } = sinks[0];
  await publishAll(['a', 'b']);
  turns.settle();
  expect([sinks[0].turns, sinks[0].frames, sinks[1].perTurn()]).toEqual([begun, [], [1]]);
  fanout.addMember(view, sinks[0].member);
  turns.advance(100);
  await publishAll(['a', 'b']);
  turns.settle();
  expect([sinks[0].perTurn(), sinks[1].frames.length]).toEqual([[1], 2]);
});

test.each([[Number.NEGATIVE_INFINITY], [0], [1], [2.5], [Number.NaN], [Number.POSITIVE_INFINITY]])(
  'a sink that takes %d frames a turn is refused when it is first seen',
  async (budget) => {
    const { sinks, fanout } = await makeSinks(budget, 31);
    const view = fanout.attach(viewOptions('a'));
    expect(() => fanout.addMember(view, sinks[0].member)).toThrow(
      `the sink of fake must take an integer of at least 2 frames a turn, not ${budget}`,
    );
    expect(view.members).toBe(0);
  },
);

test.each([2, 3])('a sink that takes %d frames a turn is sent what excepts a session', async (budget) => {
  const { sinks, live, publish, turns } = await makeSinks(budget, 31);
  await live('a', sinks[0]);
  await publish('a', { except: 's' }, { except: 't' });
  turns.settle();
  expect(sinks[0].perTurn()).toEqual([2, 2]);
});

test('a view whose next frame is too much for its smaller sink leaves the larger one to other views', async () => {
  const { sinks, live, publish, publishAll, turns } = await makeSinks(2, 31);
  await live('both', ...sinks);
  for (const topic of topics('large', 20)) await live(topic, sinks[1]);
  await publish('both', {}, { except: 's' });
  await publishAll(topics('large', 20));
  turns.settle();
  expect(sinks.map((sink) => sink.perTurn())).toEqual([
    [1, 2],
    [21, 2],
  ]);
});
