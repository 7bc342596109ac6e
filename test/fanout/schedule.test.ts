import { describe, expect, test } from 'vitest';
import { ReadyGroup, Schedule, Scheduled } from '../../src/fanout/schedule.ts';
import { eventLoop } from '../../src/fanout/turns.ts';
import { FakeTurns } from './fixtures.ts';

class Item extends Scheduled<Item> {
  readonly name: string;

  constructor(name: string, share?: ReadyGroup<Item>) {
    super(share);
    this.name = name;
  }
}

const item = (name: string) => new Item(name);

function makeSchedule(perTurn = Number.POSITIVE_INFINITY) {
  const turns = new FakeTurns();
  const done: string[] = [];
  const times: number[] = [];
  const startMs = turns.nowMs();
  const schedule = new Schedule<Item>(turns, (next) => {
    for (let count = 0; count < perTurn; count++) {
      const ready = next();
      if (ready === undefined) break;
      done.push(ready.name);
      times.push(turns.nowMs() - startMs);
    }
    return false;
  });
  return { turns, done, times, schedule };
}

describe('schedule', () => {
  test('what is ready is worked on at the end of the turn, once, in order', () => {
    const { schedule, turns, done } = makeSchedule();
    const [a, b] = [item('a'), item('b')];
    schedule.ready(a);
    schedule.ready(b);
    schedule.ready(a);
    expect([done, a.due, turns.asked]).toEqual([[], 'ready', 1]);
    turns.turn();
    expect([done, a.due]).toEqual([['a', 'b'], 'idle']);
    turns.settle();
    expect(done).toEqual(['a', 'b']);
  });

  test('what a turn does not take is worked on in the next one, before newer items', () => {
    const { schedule, turns, done } = makeSchedule(2);
    for (const name of ['a', 'b', 'c']) schedule.ready(item(name));
    turns.turn();
    expect(done).toEqual(['a', 'b']);
    schedule.ready(item('d'));
    turns.turn();
    expect(done).toEqual(['a', 'b', 'c', 'd']);
  });

  test('an item that gets ready again while it is worked on is last', () => {
    const turns = new FakeTurns();
    const done: string[] = [];
    const [a, b] = [item('a'), item('b')];
    const schedule = new Schedule<Item>(turns, (next) => {
      for (let ready = next(); ready !== undefined; ready = next()) {
        done.push(ready.name);
        if (done.length === 1) schedule.ready(ready);
      }
      return false;
    });
    schedule.ready(a);
    schedule.ready(b);
    turns.settle();
    expect(done).toEqual(['a', 'b', 'a']);
  });

  test('of items that share their places, an item with a place of its own waits for eight at most', () => {
    const { schedule, turns, done } = makeSchedule(10);
    const share = new ReadyGroup<Item>();
    const names = Array.from({ length: 3000 }, (_, i) => `${i}`);
    for (let round = 0; round < 2; round++) {
      done.length = 0;
      for (const name of names) schedule.ready(new Item(name, share));
      schedule.ready(item('own'));
      turns.turn();
      expect(done.indexOf('own')).toBe(8);
      turns.settle();
      expect(done.filter((name) => name !== 'own')).toEqual(names);
    }
  });

  test('work that asks for one more turn gets it, though nothing is ready', () => {
    const turns = new FakeTurns();
    let calls = 0;
    const schedule = new Schedule<Item>(turns, () => ++calls < 3);
    schedule.wake();
    schedule.wake();
    turns.settle();
    expect(calls).toBe(3);
  });

  test('what waits is worked on when its time has come, not before', () => {
    const { schedule, turns, done, times } = makeSchedule();
    schedule.wait(item('a'), 10);
    turns.advance(9);
    expect(done).toEqual([]);
    turns.advance(1);
    expect([done, times]).toEqual([['a'], [10]]);
  });

  test('items that wait equally long share a timer and come in their order', () => {
    const { schedule, turns, times, done } = makeSchedule();
    schedule.wait(item('a'), 10);
    turns.advance(4);
    schedule.wait(item('b'), 10);
    schedule.wait(item('c'), 10);
    expect(turns.timers).toBe(1);
    turns.advance(100);
    expect([done, times, turns.timers]).toEqual([['a', 'b', 'c'], [10, 14, 14], 0]);
  });

  test('a shorter wait ends sooner', () => {
    const { schedule, turns, done } = makeSchedule();
    schedule.wait(item('long'), 20);
    schedule.wait(item('short'), 5);
    turns.advance(100);
    expect(done).toEqual(['short', 'long']);
  });

  test('an item that waits may get ready sooner, and is worked on once', () => {
    const { schedule, turns, done, times } = makeSchedule();
    const a = item('a');
    schedule.wait(a, 10);
    turns.advance(3);
    schedule.ready(a);
    turns.advance(100);
    expect([done, times]).toEqual([['a'], [3]]);
  });

  test('an item that waits long may be asked to wait for less', () => {
    const { schedule, turns, times } = makeSchedule();
    const a = item('a');
    schedule.wait(a, 10_000);
    schedule.wait(a, 5);
    turns.advance(20_000);
    expect(times).toEqual([5]);
  });

  test('an item that waits is not put off by waiting again', () => {
    const { schedule, turns, times } = makeSchedule();
    const a = item('a');
    schedule.wait(a, 10);
    turns.advance(5);
    schedule.wait(a, 10);
    turns.advance(100);
    expect(times).toEqual([10]);
  });

  test('a wait that was overtaken does not shorten a later one', () => {
    const { schedule, turns, times } = makeSchedule();
    const a = item('a');
    schedule.wait(a, 10);
    turns.advance(2);
    schedule.ready(a);
    turns.advance(1);
    schedule.wait(a, 10);
    turns.advance(100);
    expect(times).toEqual([2, 13]);
  });

  test('a ready item does not wait', () => {
    const { schedule, turns, times } = makeSchedule();
    const a = item('a');
    schedule.ready(a);
    schedule.wait(a, 10);
    turns.advance(100);
    expect([times, a.due]).toEqual([[0], 'idle']);
  });

  test('keeps its order over thousands of items that never run out', () => {
    const { schedule, turns, done } = makeSchedule(31);
    const expected: string[] = [];
    for (let i = 0; i < 5000; i++) {
      expected.push(`i${i}`);
      schedule.ready(item(`i${i}`));
      if (i % 40 === 39) turns.turn();
    }
    turns.settle();
    expect(done).toEqual(expected);
  });
});

test('the event loop runs what joins and leaves before what publishes, though it was asked for later', async () => {
  const done: string[] = [];
  await new Promise<void>((resolve) => {
    eventLoop.atTurnEnd(() => {
      done.push('end');
      // Asked for within a turn's end: that is the next turn's.
      eventLoop.beforeTurnEnd(() => done.push('next'));
      eventLoop.atTurnEnd(resolve);
    });
    eventLoop.beforeTurnEnd(() => done.push('before'));
    eventLoop.atTurnEnd(() => done.push('end too'));
  });
  expect(done).toEqual(['before', 'end', 'end too', 'next']);
});
