import { describe, expect, test } from 'vitest';
import type { View } from '../../src/fanout/view.ts';
import { viewKeys } from '../../src/fanout/view-options.ts';
import { type CompiledFilter, compileFilter } from '../../src/topics/filter.ts';
import type { Payer } from '../../src/topics/payer.ts';
import { makeWorld, viewOptions } from './fixtures.ts';

const user = (name: string): Payer => ({ account: `user ${name}`, isVerified: true });
const session = (name: string, address = `address ${name}`): Payer => ({
  account: `session ${name}`,
  isVerified: false,
  address,
});
const only = (room: string) => compileFilter({ op: 'eq', tag: 'room', value: room });

async function room(limits: { viewsPerTopic?: number; viewsMax?: number }) {
  const { fanout, sink } = await makeWorld({ fanout: limits });
  const attached = new Map<View, Payer>();
  /** Distinct views until one is refused, at most `count`: how many there are. */
  const take = (payer: Payer, count: number, target = 'a', prefix = payer.account) => {
    for (let i = 0; i < count; i++) {
      try {
        attached.set(fanout.attach(viewOptions(target, { filter: only(`${prefix} ${i}`) }), payer), payer);
      } catch (error) {
        expect(error).toMatchObject({ code: 'too_many_views', retry: true });
        return i;
      }
    }
    return count;
  };
  const leave = (payer: Payer) => {
    for (const [view, owner] of attached) if (owner === payer) fanout.detach(view, payer);
  };
  return { fanout, sink, take, leave };
}

describe('the places of views', () => {
  test.each([
    [15, 15],
    [16, 16],
    [17, 16],
  ])('of %d views that one payer wants of a topic, it gets %d', async (wanted, got) => {
    const { take } = await room({});
    expect(take(user('alice'), wanted)).toBe(got);
    expect(take(user('bob'), 16)).toBe(16);
    expect(take(user('alice'), 16, 'b')).toBe(16);
  });

  test('plain views take none', async () => {
    const { fanout, take } = await room({ viewsPerTopic: 4, viewsMax: 4 });
    for (const name of ['a', 'b', 'c', 'd', 'e']) take(user(name), 4);
    const payer = session('late');
    for (const conflate of [false, true]) {
      for (const target of ['a', '*', '$all', 'user:late']) {
        expect(() => fanout.attach(viewOptions(target, { conflate }), payer)).not.toThrow();
      }
    }
    expect(() => fanout.attach(viewOptions('a', { intervalMs: 100 }), payer)).toThrow('too many');
  });

  test('a view that there is takes no further place, though its subscriber may make no more', async () => {
    const { fanout, take } = await room({});
    take(user('alice'), 16, 'a', 'x');
    expect(take(user('bob'), 16, 'a', 'x')).toBe(16);
    expect(take(user('bob'), 1, 'a', 'y')).toBe(0);
    expect(fanout.viewCount).toBe(16);
  });

  test('sessions without an identity leave half of a topic to others, whatever their number', async () => {
    const { take } = await room({});
    let taken = 0;
    for (let i = 0; i < 100; i++) taken += take(session(`${i}`), 100);
    expect(taken).toBeLessThanOrEqual(32);
    expect(take(user('alice'), 16)).toBe(16);
  });

  test('a hundred sessions of a hundred subscriptions lock no one out', async () => {
    const { take } = await room({ viewsMax: 10_000 });
    for (let i = 0; i < 100; i++)
      for (let topic = 0; topic < 10; topic++) take(session(`${i}`, 'address 1'), 10, `t${i}-${topic}`);
    for (let i = 0; i < 100; i++) take(session(`on ${i}`, 'address 1'), 1, 'late');
    expect(take(session('late'), 10, 'late')).toBe(10);
    expect(take(user('alice'), 16, 'late')).toBe(16);
  });

  test('of all topics, one payer gets a quarter', async () => {
    const { take } = await room({ viewsMax: 40 });
    expect([take(user('alice'), 8, 'a'), take(user('alice'), 8, 'b')]).toEqual([8, 2]);
    expect(take(user('bob'), 8, 'c')).toBe(8);
  });

  test('are given back, also where equal subscriptions shared a view', async () => {
    const { fanout, take, leave } = await room({});
    const alice = user('alice');
    const twin = () => fanout.attach(viewOptions('a', { filter: only('user alice 0') }), alice);
    expect(take(alice, 17)).toBe(16);
    const view = twin();
    leave(alice);
    expect(fanout.viewCount).toBe(1);
    expect(take(alice, 17, 'a', 'again')).toBe(15);
    fanout.detach(view, alice);
    expect(take(alice, 1, 'a', 'once more')).toBe(1);
  });

  test('count again for a payer that comes back to a view which another kept', async () => {
    const { fanout, take } = await room({});
    const shared = viewOptions('a', { filter: only('shared') });
    const [alice, bob] = [user('alice'), user('bob')];
    fanout.attach(shared, bob);
    fanout.detach(fanout.attach(shared, alice), alice);
    fanout.attach(shared, alice);
    expect(take(alice, 16)).toBe(15);
  });

  test('a pattern that is subscribed to and left again and again uses up none', async () => {
    const { fanout, sink } = await room({});
    for (let i = 0; i < 200; i++) {
      const view = fanout.attach(viewOptions('a:*', { filter: only(`${i}`) }), user('alice'));
      fanout.addMember(view, sink.member);
      fanout.removeMember(view, sink.member);
      fanout.detach(view, user('alice'));
    }
    expect(fanout.viewCount).toBe(0);
  });

  test('a pattern that was left hears of no topic any more, and one that stays hears of each', async () => {
    const { fanout, live, publish, turns, sink } = await makeWorld();
    const stays = live('a:*');
    const views = Array.from({ length: 10 }, (_, i) => {
      const view = fanout.attach(viewOptions('a:*', { filter: only(`${i}`) }));
      fanout.addMember(view, sink.member);
      return view;
    });
    for (const view of views) {
      fanout.removeMember(view, sink.member);
      fanout.detach(view);
    }
    await publish('a:1');
    turns.settle();
    expect(views.filter(({ feeds }) => [...feeds].length > 0)).toEqual([]);
    expect(sink.frames.map(({ view }) => view)).toEqual([stays]);
  });

  test.each([
    ['keys', (text: string) => ({ keys: viewKeys([text]) })],
    ['a filter', (text: string) => ({ filter: only(text) })],
  ])(
    'are as many as the characters of %s allow: 8 MiB of one payer, 16 MiB of those without an identity',
    async (_, by) => {
      const { fanout } = await makeWorld();
      /** How many views of a MiB the payer gets. */
      const take = (payer: Payer, count: number) => {
        const views: View[] = [];
        for (let i = 0; i < count; i++) {
          const options = by(`${payer.account} ${i} ${'x'.repeat(2 ** 20 - 100)}`);
          try {
            views.push(fanout.attach(viewOptions(`a${i}`, options), payer));
          } catch (error) {
            expect(error).toMatchObject({ code: 'too_many_views', retry: true });
          }
        }
        return views;
      };
      const alice = user('alice');
      const views = take(alice, 10);
      expect(views).toHaveLength(8);
      expect(take(session('a', 'home'), 6)).toHaveLength(6);
      expect(take(session('b', 'home'), 6)).toHaveLength(2);
      expect(['c', 'd', 'e', 'f'].flatMap((name) => take(session(name), 10)).length).toBeLessThanOrEqual(8);
      // Half of what is free: a further client finds room, too.
      expect(take(user('bob'), 8)).toHaveLength(4);
      // One with an interval alone has no characters.
      expect(() => fanout.attach(viewOptions('a', { intervalMs: 100 }), alice)).not.toThrow();
      for (const view of views) fanout.detach(view, alice);
      expect(take(alice, 10)).toHaveLength(6);
    },
  );

  test('of patterns are not those of a topic', async () => {
    const { take } = await room({});
    for (const name of ['a', 'b', 'c', 'd', 'e']) take(user(name), 16, '*');
    expect(take(user('late'), 16, 'a')).toBe(16);
  });
});

describe('patterns that match the same topics', () => {
  const prefixes = Array.from({ length: 40 }, (_, i) => `${'w'.repeat(i)}*`);
  const mixed = prefixes.map((_, i) => prefixes[(i * 7) % 40] as string);

  async function patterns() {
    const { fanout } = await makeWorld();
    /** How many of these the payer gets. */
    const take = (payer: Payer, targets: readonly string[], filter?: (i: number) => CompiledFilter) => {
      const views: View[] = [];
      for (const [i, target] of targets.entries()) {
        try {
          views.push(fanout.attach(viewOptions(target, { filter: filter?.(i) }), payer));
        } catch (error) {
          expect(error).toMatchObject({ code: 'too_many_views', retry: true });
        }
      }
      return views;
    };
    return { fanout, take };
  }

  test.each([
    ['the shortest first', prefixes],
    ['the longest first', prefixes.toReversed()],
    ['in any order', mixed],
  ])('may be 16 of a client: %s', async (_, targets) => {
    const { fanout, take } = await patterns();
    const alice = user('alice');
    const views = take(alice, targets);
    expect(views).toHaveLength(16);
    expect(take(alice, ['other*', 'another*'])).toHaveLength(2);
    for (const view of views) fanout.detach(view, alice);
    expect(take(alice, mixed)).toHaveLength(16);
  });

  test('may be as many as the views of one target, where these may be more', async () => {
    const { take } = await room({ viewsPerTopic: 100 });
    expect(take(user('alice'), 26, 'm:*')).toBe(25);
  });

  test('count for the address of clients without an identity, and whatever else they ask for', async () => {
    const { take } = await patterns();
    expect(take(session('a', 'home'), prefixes.slice(0, 10))).toHaveLength(10);
    expect(take(session('b', 'home'), prefixes.slice(10, 30), (i) => only(`${i}`))).toHaveLength(6);
    expect(take(session('c', 'away'), prefixes.slice(30))).toHaveLength(10);
  });

  test('that do not, are bounded by subscriptions alone', async () => {
    const { take } = await patterns();
    const siblings = Array.from({ length: 100 }, (_, i) => `server:${i}:*`);
    expect(take(user('alice'), siblings)).toHaveLength(100);
    // Each of them has room for as many as are within 16 of the same topics.
    expect(take(user('alice'), ['*', 'server:*', 'server:1*'])).toHaveLength(3);
    expect(
      take(
        user('alice'),
        siblings.map((each) => `${each.slice(0, -1)}x*`),
      ),
    ).toHaveLength(100);
  });

  test('may be replaced by others', async () => {
    const { fanout, take } = await patterns();
    const alice = user('alice');
    const [first] = take(alice, prefixes) as [View];
    const filtered = viewOptions('w*', { filter: only('x') });
    expect(() => fanout.attach(filtered, alice)).toThrow('too many');
    expect(() => fanout.attach(filtered, alice, [{ view: first, payer: alice }])).not.toThrow();
  });
});
