import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { makeGateway, user } from './fixtures.ts';

const watch = { kind: 'subscribe', id: 1, subscriptions: [{ topic: 'room', presence: true }] } as const;
const permissions = [{ pattern: 'room', allow: ['subscribe', 'presence'] }] as const;
const occupant = (id: number) => ({ id: `s${id}`, identity: {} });

async function watched() {
  const gateway = await makeGateway();
  const watcher = gateway.connect(user('watcher', { permissions }));
  watcher.command(watch);
  watcher.connection.forget();
  const heard = (kind: 'joined' | 'left') => {
    gateway.turns.settle();
    return watcher.connection.of(kind).map(({ member }) => member.session);
  };
  return { ...gateway, watcher, heard };
}

describe('presence', () => {
  test('a session that has several subscriptions to a topic leaves it with the last of them', async () => {
    const { connect, presence, heard } = await watched();
    const { session, command } = connect();
    const filters = ['a', 'b', 'c'].map((tag) => ({ op: 'exists', tag }) as const);
    command({
      kind: 'subscribe',
      id: 1,
      subscriptions: filters.map((filter) => ({ topic: 'room', filter })),
    });
    const views = [...session.views.values()]
      .filter(({ target }) => target === 'room')
      .map(({ view }) => view.id);
    expect(heard('joined')).toEqual([session.id]);
    for (const left of [1, 2]) {
      command({ kind: 'unsubscribe', id: 2, views: views.slice(left - 1, left) });
      expect([presence.count('room'), heard('left')]).toEqual([2, []]);
    }
    command({ kind: 'unsubscribe', id: 3, views: views.slice(2) });
    expect([presence.count('room'), heard('left')]).toEqual([1, [session.id]]);
  });

  test('joins and leaves are announced up to 1000 members, and 1000 are listed', async () => {
    const { presence, heard } = await watched();
    // The watcher is one of them.
    for (let id = 1; id <= 998; id++) presence.joined(occupant(id), 'room');
    expect(heard('joined')).toHaveLength(998);
    presence.joined(occupant(999), 'room');
    expect([heard('joined').length, presence.list('room').length]).toEqual([999, 1000]);
    presence.joined(occupant(1000), 'room');
    expect([heard('joined').length, presence.list('room').length]).toEqual([999, 1000]);
    expect(presence.count('room')).toBe(1001);
    presence.left(occupant(1000), 'room');
    expect(heard('left')).toEqual(['s1000']);
  });

  test('topics that all sessions have left cost nothing', async () => {
    const { presence } = await makeGateway();
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 100_000; i++) {
      presence.joined(occupant(1), `room:${i}`);
      presence.left(occupant(1), `room:${i}`);
    }
    collect();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(10 * 2 ** 20);
  });
});
