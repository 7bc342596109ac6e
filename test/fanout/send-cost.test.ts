import { describe, expect, test } from 'vitest';
import { PatternViews } from '../../src/fanout/pattern-views.ts';
import type { Filter } from '../../src/protocol/frames.ts';
import { compileFilter } from '../../src/topics/filter.ts';
import { makeWorld } from './fixtures.ts';

const manyConditions = (value: string, count = 60) => {
  const filters = Array.from({ length: count - 1 }, (_, i): Filter => ({ op: 'eq', tag: `t${i}`, value }));
  return { filter: compileFilter({ op: 'or', filters }) };
};

async function makeCosts() {
  const world = await makeWorld();
  const { fanout, broker } = world;
  const take = (name: string, bytes = 0) => fanout.takeSendMs(name, broker.find(name), bytes);
  /** Of one publication that goes out with another. */
  const further = (name: string, bytes = 0) => {
    take(name);
    return take(name, bytes);
  };
  return { ...world, take, further };
}

describe('the estimated time of sending a publication', () => {
  test('is nothing without views, and grows with views, conditions and bytes', async () => {
    const { live, further } = await makeCosts();
    expect(further('a')).toBe(0);
    live('a');
    const plain = further('a');
    const large = further('a', 65_536);
    const view = live('a', manyConditions('1', 2));
    const two = further('a');
    live('a', manyConditions('2'));
    const three = further('a');
    expect([plain > 0, large > 10 * plain, two > 2 * plain, three - two > two - plain]).toEqual(
      Array(4).fill(true),
    );
    expect(view.subscriptions).toBe(1);
  });

  test('does not grow with the members of a view', async () => {
    const { live, fanout, sink, view, further } = await makeCosts();
    live('a');
    const one = further('a');
    for (let i = 0; i < 1000; i++) fanout.addMember(view('a'), sink.member);
    expect(further('a')).toBe(one);
    // A client that sends as fast as it may, by WebSocket or in batches of 1000, stays far below 250 ms a second.
    expect(10_000 * one).toBeLessThan(50);
  });

  test('of a view is gone with it', async () => {
    const { live, fanout, sink, further } = await makeCosts();
    live('a');
    const before = further('a');
    const view = live('a', manyConditions('1'));
    expect(further('a')).toBeGreaterThan(before);
    fanout.removeMember(view, sink.member);
    fanout.detach(view);
    expect(further('a')).toBeCloseTo(before, 12);
  });

  test('has the frames once for all that are sent together', async () => {
    const { live, take, publish, turns } = await makeCosts();
    live('a');
    const first = take('a');
    const second = take('a');
    await publish('a');
    expect([second < first, take('a')]).toEqual([true, second]);
    turns.settle();
    expect(take('a')).toBe(first);
  });

  test.each(['new', 'known by another view'])(
    'has the patterns that match a topic that is %s',
    async (what) => {
      const { live, publish, turns, further } = await makeCosts();
      if (what !== 'new') {
        live('a:b');
        await publish('a:b');
        turns.settle();
      }
      const before = further('a:b');
      for (const pattern of ['*', 'a*', 'a:*', 'b*']) live(pattern, manyConditions(pattern));
      const expected = further('a:b');
      await publish('a:b');
      expect(further('a:b')).toBeCloseTo(expected, 12);
      expect(expected).toBeGreaterThan(before);
      const another = further('c');
      expect(expected - before).toBeCloseTo(3 * another, 12);
    },
  );

  test('of a topic that is new to patterns is larger while they have many feeds, which a sweep drops', async () => {
    const { live, take, publish, turns, fanout } = await makeCosts();
    const name = 'p'.repeat(99);
    const views = Array.from({ length: 100 }, (_, i) => live(`${name.slice(i)}*`));
    const few = take(`${name}:x`);
    for (let i = 0; i < 600; i++) await publish(`${name}:${i}`);
    expect(take(`${name}:y`)).toBeGreaterThan(10 * few);
    turns.settle();
    turns.advance(1);
    fanout.sweep();
    expect(views.every(({ feeds }) => [...feeds].length === 0)).toBe(true);
    expect(take(`${name}:z`)).toBe(few);
  });

  test('has a pattern once, also after another view of the topic is gone', async () => {
    const { live, fanout, sink, publish, turns, further } = await makeCosts();
    live('a*', manyConditions('1'));
    await publish('a');
    turns.settle();
    const before = further('a');
    const view = live('a');
    fanout.removeMember(view, sink.member);
    fanout.detach(view);
    expect(further('a')).toBeCloseTo(before, 12);
  });

  test('is bounded, however many feeds the patterns of others have', () => {
    const patterns = new PatternViews();
    for (let feeds = 0; feeds < 1_000_000; feeds++) patterns.addedFeed();
    expect(patterns.feedPrice).toBe(64);
  });
});
