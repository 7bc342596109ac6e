import { describe, expect, test } from 'vitest';
import { sessionDirectory, sharedDirectory } from '../../src/api/session-directory.ts';
import type { Sessions } from '../../src/sessions/sessions.ts';
import { makeGateway, user } from '../sessions/fixtures.ts';

async function directory(...names: string[]) {
  const gateway = await makeGateway();
  const connected = names.map((name) => gateway.connect(user(name)));
  const ids = connected.map(({ session }) => session.id).sort();
  return { ...gateway, connected, ids, sessions: sessionDirectory(gateway.sessions) };
}

async function page(
  sessions: ReturnType<typeof sessionDirectory>,
  query: Partial<Parameters<typeof sessions.list>[0]>,
) {
  const { connections, next } = await sessions.list({ after: '', limit: 100, ...query });
  return { ids: connections.map(({ id }) => id), next };
}

describe('the directory of sessions', () => {
  test('has a next page only where there is one', async () => {
    const { sessions, ids } = await directory('a', 'b', 'c');
    expect(await page(sessions, { limit: 4 })).toEqual({ ids, next: undefined });
    expect(await page(sessions, { limit: 3 })).toEqual({ ids, next: undefined });
    expect(await page(sessions, { limit: 2 })).toEqual({ ids: ids.slice(0, 2), next: ids[1] });
    expect(await page(sessions, { limit: 2, after: ids[1] })).toEqual({ ids: [ids[2]], next: undefined });
    expect(await page(sessions, { limit: 1, after: ids[1] })).toEqual({ ids: [ids[2]], next: undefined });
    expect(await page(sessions, { after: ids[2] })).toEqual({ ids: [], next: undefined });
  });

  test.each([
    [5000, 4999, 2],
    [5000, 5000, 2],
    [5000, 5001, 1],
    [10_001, 0, 1],
  ])('ends a page before 10 000 subscriptions: connections with %i and %i', async (first, second, listed) => {
    const all = [first, second, 0].map((size, index) => ({
      id: `s${index}`,
      identity: {},
      codec: {},
      peer: {},
      views: { size, values: () => Array.from({ length: size }, () => ({ target: 'a', view: { id: 1 } })) },
    }));
    const of = (some: typeof all) => sessionDirectory({ all: () => some } as unknown as Sessions);
    const others = of(all.slice(1));
    const shared = sharedDirectory(of(all.slice(0, 1)), {
      tell: () => undefined,
      ask: async (_, query) => [await others.list(query as Parameters<typeof others.list>[0])] as never,
    });
    const ids = all.map(({ id }) => id);
    for (const sessions of [of(all), shared]) {
      const { ids: page1, next } = await page(sessions, { limit: 2 });
      expect([page1, next]).toEqual([ids.slice(0, listed), ids[listed - 1]]);
      expect(await page(sessions, { after: next ?? '' })).toEqual({
        ids: ids.slice(listed),
        next: undefined,
      });
    }
  });

  test('of all nodes ends a page where that of one node ends', async () => {
    const { sessions, ids } = await directory('a', 'b', 'c');
    const [first, second, third] = (await sessions.list({ after: '', limit: 3 })).connections;
    const own = { ...sessions, list: () => ({ connections: [first!, third!] }) };
    const others = {
      tell: () => undefined,
      ask: async () => [{ connections: [second], next: ids[1] }] as never,
    };
    expect(await page(sharedDirectory(own, others), {})).toEqual({ ids: ids.slice(0, 2), next: ids[1] });
  });

  test('finds those of a user and of a topic', async () => {
    const { sessions, connected, settle } = await directory('a', 'b', 'a');
    const [first, second, third] = connected;
    second?.command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'x' }] });
    await settle();
    const both = [first?.session.id, third?.session.id].sort();
    expect((await page(sessions, { user: 'a' })).ids).toEqual(both);
    expect((await page(sessions, { topic: 'x' })).ids).toEqual([second?.session.id]);
    expect((await page(sessions, { topic: 'x', user: 'a' })).ids).toEqual([]);
    expect(await page(sessions, { user: 'a', limit: 1 })).toEqual({ ids: [both[0]], next: both[0] });
    expect(await page(sessions, { user: 'a', limit: 2 })).toEqual({ ids: both, next: undefined });
  });

  test('hears acknowledgements for the user of a session, and not more often than it may send commands', async () => {
    const gateway = await makeGateway({ commandsPerSecond: 2 });
    const { session } = gateway.connect(user('a'));
    const { acknowledge } = sessionDirectory(gateway.sessions);
    expect(acknowledge('none', [], 'a')).toBeUndefined();
    expect(acknowledge(session.id, [], 'b')).toBeUndefined();
    expect([acknowledge(session.id, [], 'a'), acknowledge(session.id, [])]).toEqual([0, 0]);
    expect(acknowledge(session.id, [], 'a')).toBeGreaterThan(0);
    const shared = sharedDirectory(sessionDirectory(gateway.sessions), {
      tell: () => undefined,
      ask: async (name) => (name === 'acknowledge' ? [null, 0] : []) as never,
    });
    expect(await shared.acknowledge('of another node', [], 'a')).toBe(0);
  });

  test('ends one by its id', async () => {
    const { sessions, connected } = await directory('a');
    expect(await sessions.disconnect('none')).toBe(false);
    expect(await sessions.disconnect(connected[0]?.session.id as string)).toBe(true);
    expect(connected[0]?.connection.endedWith).toBe('disconnected');
  });
});
