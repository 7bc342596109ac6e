import { describe, expect, test } from 'vitest';
import {
  type CountedSession,
  SystemSessions,
  type SystemSessionsOptions,
} from '../../src/compat/system-sessions.ts';
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
      ['$all', ...targets].map((target, i) => [i, { target, isAutomatic: target === '$all' }] as const),
    ),
    outbox: { push: ({ kind }) => pushed.push(kind) },
  };
  return { counted, pushed };
}

function make(otherNodes?: SystemSessionsOptions['otherNodes']) {
  const clock = { ms: 0 };
  const sessions = new SystemSessions({
    systems: ['b', 'd'],
    monotonicMs: () => clock.ms,
    pingMs: 30_000,
    otherNodes,
  });
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

  test('are counted by system', async () => {
    const { sessions } = make();
    const one = session({ codec: 'compat-d', user: 'ada', targets: ['room:a', 'room:b'], messageCount: 5 });
    const two = session({ codec: 'compat-d', user: 'ada', targets: ['room:a'], messageCount: 7 });
    sessions.opened(one.counted);
    expect(await sessions.stats('d')).toMatchObject({ active: 1, total: 1, messages: 5, users: ['ada'] });
    sessions.opened(two.counted);
    expect(await sessions.stats('d')).toEqual({
      active: 2,
      total: 2,
      messages: 12,
      bytes: 0,
      users: ['ada'],
      subscriptions: [
        ['room:a', 2],
        ['room:b', 1],
      ],
    });
    sessions.closed(one.counted);
    sessions.closed(one.counted);
    expect(await sessions.stats('d')).toMatchObject({ active: 1, total: 2, messages: 12 });
    expect(await sessions.stats('b')).toMatchObject({ active: 0, total: 0 });
    expect(() => sessions.stats('a')).toThrow('not served');
  });

  test('are counted again after a hundred times as long as that took, and after a second at most', async () => {
    for (const [tookMs, keptMs] of [
      [2, 200],
      [60, 1000],
    ] as const) {
      const { clock, sessions } = make();
      const { counted } = session({ codec: 'compat-d' });
      sessions.opened({
        ...counted,
        get messageCount() {
          clock.ms += tookMs;
          return 0;
        },
      });
      const active = async () => (await sessions.stats('d')).active;
      expect(await active()).toBe(1);
      const untilMs = clock.ms + keptMs;
      sessions.opened(session({ codec: 'compat-d' }).counted);
      clock.ms = untilMs - 1;
      expect(await active()).toBe(1);
      clock.ms = untilMs;
      expect(await active()).toBe(2);
    }
  });

  test('are counted together with those of the other nodes, which are asked once at a time', async () => {
    const second = make().sessions;
    for (const user of ['ada', 'bob']) {
      const targets = ['room:a', `room:${user}`];
      second.opened(session({ codec: 'compat-d', user, targets, messageCount: 2 }).counted);
    }
    let asked = 0;
    const ask = async (_: string, name: 'd') => {
      asked++;
      return Promise.all([second.nodeHandlers().systemStats(name, 'second'), undefined]);
    };
    const { clock, sessions } = make({ ask } as never);
    sessions.opened(session({ codec: 'compat-d', user: 'cyd' }).counted);
    const [stats] = await Promise.all([sessions.stats('d'), sessions.stats('d')]);
    expect(stats).toEqual({
      active: 3,
      total: 3,
      messages: 4,
      bytes: 0,
      users: ['cyd', 'ada', 'bob'],
      subscriptions: [
        ['room:a', 2],
        ['room:ada', 1],
        ['room:bob', 1],
      ],
    });
    expect(asked).toBe(1);
    clock.ms = 1000;
    await sessions.stats('d');
    expect(asked).toBe(2);
  });

  test('are counted anew after a reply that could not be read, as of a node of another version', async () => {
    const replies: unknown[] = [{}];
    const { sessions } = make({ ask: async () => replies } as never);
    await expect(sessions.stats('d')).rejects.toThrow(TypeError);
    replies.length = 0;
    expect(await sessions.stats('d')).toMatchObject({ active: 0 });
  });
});
