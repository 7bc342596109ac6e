import { describe, expect, test } from 'vitest';
import { type CountedSession, SystemSessions } from '../../src/compat/system-sessions.ts';
import { jsonCodec } from '../support/codecs.ts';

interface Given {
  readonly codec?: string;
  readonly user?: string;
  readonly targets?: readonly string[];
  readonly messageCount?: number;
}

function session({ codec = 'compat-b', user, targets = [], messageCount = 0 }: Given = {}) {
  const pushed: string[] = [];
  const counted: CountedSession = {
    codec: { ...jsonCodec, name: codec } as CountedSession['codec'],
    messageCount,
    identity: { user },
    views: new Map(
      ['$all', ...targets].map((target, i) => [i, { target, automatic: target === '$all' }] as const),
    ),
    outbox: { push: ({ kind }) => pushed.push(kind) },
  };
  return { counted, pushed };
}

function make() {
  const clock = { ms: 0 };
  const sessions = new SystemSessions({ systems: ['b', 'd'], monotonicMs: () => clock.ms, pingMs: 30_000 });
  return { clock, sessions };
}

describe('the sessions of the older systems', () => {
  test('of market data are sent a ping every 30 s, and no others are', () => {
    const { clock, sessions } = make();
    const [market, notified, native] = [
      session(),
      session({ codec: 'compat-d' }),
      session({ codec: 'json' }),
    ];
    for (const { counted } of [market, notified, native]) sessions.opened(counted);
    for (clock.ms = 1000; clock.ms <= 60_000; clock.ms += 1000) {
      sessions.sweep();
      const due = Math.floor(clock.ms / 30_000);
      expect([clock.ms, market.pushed]).toEqual([clock.ms, Array(due).fill('message')]);
    }
    sessions.closed(market.counted);
    clock.ms = 120_000;
    sessions.sweep();
    expect([market.pushed.length, notified.pushed, native.pushed]).toEqual([2, [], []]);
  });

  test('are counted by system, at most once a second', () => {
    const { clock, sessions } = make();
    const one = session({ codec: 'compat-d', user: 'ada', targets: ['room:a', 'room:b'], messageCount: 5 });
    const two = session({ codec: 'compat-d', user: 'ada', targets: ['room:a'], messageCount: 7 });
    sessions.opened(one.counted);
    expect(sessions.stats('d')).toMatchObject({ active: 1, total: 1, messages: 5, users: 1 });
    sessions.opened(two.counted);
    clock.ms = 999;
    expect(sessions.stats('d').active).toBe(1);
    clock.ms = 1000;
    const { subscriptions, ...counts } = sessions.stats('d');
    expect(counts).toEqual({ active: 2, total: 2, messages: 12, bytes: 0, users: 1 });
    expect([...subscriptions]).toEqual([
      ['room:a', 2],
      ['room:b', 1],
    ]);
    sessions.closed(one.counted);
    sessions.closed(one.counted);
    clock.ms = 2000;
    expect(sessions.stats('d')).toMatchObject({ active: 1, total: 2, messages: 12 });
    expect(sessions.stats('b')).toMatchObject({ active: 0, total: 0 });
    expect(() => sessions.stats('a')).toThrow('not served');
  });
});
