import { describe, expect, test } from 'vitest';
import { sessionDirectory, sharedDirectory } from '../../src/api/session-directory.ts';
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
