import { describe, expect, test } from 'vitest';
import { memberBytes } from '../../../src/sessions/users/presence.ts';
import { codecs } from '../../support/codecs.ts';
import { growthBytes } from '../../support/memory.ts';
import { makeGateway, user } from '../fixtures.ts';

const watch = { kind: 'subscribe', id: 1, subscriptions: [{ topic: 'room', presence: true }] } as const;
const permissions = [{ pattern: 'room', allow: ['subscribe', 'presence'] }] as const;
const occupant = (id: number, account = 'user one') => ({
  id: `s${id}`,
  identity: {},
  payer: { account, isVerified: true },
});

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

  test('is charged to the payers of its members, and one that finds no room is not listed until it has', async () => {
    const each = memberBytes + 'room'.length;
    // A session is a member of its user's topic, too.
    const held = { perPayer: 3 * each - 1, total: 9 * each, leavesRoom: true };
    const { connect, presence, presenceHeld, turns, counts } = await makeGateway({ presence: held });
    const watcher = connect(user('watcher', { permissions }));
    watcher.command(watch);
    watcher.connection.forget();
    const joined = () => {
      turns.settle();
      return watcher.connection.of('joined').map(({ member }) => member.session);
    };
    for (const id of [1, 2, 3]) presence.joined(occupant(id), 'room');
    expect([joined(), presence.count('room')]).toEqual([['s1', 's2'], 3]);
    expect(counts.of('presenceUnlistedTotal')).toBe(1);
    // It leaves, as it came, unnoticed; then there is room for the next one.
    presence.left(occupant(3), 'room');
    expect(presence.count('room')).toBe(3);
    presence.left(occupant(1), 'room');
    presence.joined(occupant(4), 'room');
    expect([joined(), presence.count('room')]).toEqual([['s1', 's2', 's4'], 3]);
    // Many that take all they can leave room for one that comes later.
    for (let id = 10; id < 20; id++) presence.joined(occupant(id, `user ${id}`), 'room');
    expect(presenceHeld.total).toBeLessThan(held.total);
    for (let id = 1; id < 20; id++) presence.left(occupant(id), 'room');
    const watcherBytes = 2 * memberBytes + 'room'.length + 'user:watcher'.length + 2 * 'watcher'.length;
    expect(presenceHeld.total).toBe(watcherBytes);
  });

  test('of a session that found no room leaves its subscription as it is', async () => {
    const { connect, presence, publish, turns } = await makeGateway({ presence: { perPayer: 0, total: 0 } });
    const { command, connection } = connect();
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'room' }] });
    await publish('room');
    turns.settle();
    expect([connection.of('batch').length, presence.count('room')]).toEqual([1, 0]);
  });

  test('a member leaves by the word of its own node alone', async () => {
    const { presence } = await makeGateway();
    const handlers = presence.nodeHandlers('this node');
    presence.joined(occupant(1), 'room');
    handlers.joined(['room', { session: 's2', user: undefined, sinceMs: 0 }], 'a node');
    for (const session of ['s1', 's2']) handlers.left(['room', session], 'another node');
    expect(presence.count('room')).toBe(2);
    handlers.left(['room', 's2'], 'a node');
    expect(presence.list('room').map(({ session }) => session)).toEqual(['s1']);
  });

  test('topics that all sessions have left cost nothing', async () => {
    const { presence } = await makeGateway();
    const growth = growthBytes('heapUsed', () => {
      for (let i = 0; i < 100_000; i++) {
        presence.joined(occupant(1), `room:${i}`);
        presence.left(occupant(1), `room:${i}`);
      }
    });
    expect(growth).toBeLessThan(10 * 2 ** 20);
  });

  test('a session that watches a topic by several subscriptions takes one view, and returns it', async () => {
    const { connect, fanout, heard, watcher } = await watched();
    const { command } = connect(user('other', { permissions }));
    const before = fanout.viewCount;
    const filters = ['a', 'b', 'c'].map((tag) => ({ op: 'exists', tag }) as const);
    const subscriptions = filters.map((filter) => ({ topic: 'room', filter, presence: true }));
    for (let round = 0; round < 3; round++) {
      command({ kind: 'subscribe', id: 1, subscriptions });
      command({ kind: 'unsubscribe', id: 2, topics: ['room'] });
    }
    expect([fanout.viewCount - before, heard('left').length]).toEqual([0, 3]);
    watcher.command({ kind: 'unsubscribe', id: 3, topics: ['room'] });
    expect(fanout.viewCount).toBe(before - 2);
  });

  test('topics that all watchers have left cost nothing', async () => {
    const { presence, fanout } = await makeGateway();
    const growth = growthBytes('heapUsed', () => {
      for (let i = 0; i < 50_000; i++) {
        const view = presence.watch(`room:${i}`, codecs.json);
        fanout.detach(view);
        presence.unwatched(`room:${i}`, view);
      }
    });
    expect(growth).toBeLessThan(10 * 2 ** 20);
  });
});
