import { describe, expect, test } from 'vitest';
import { anonymousIdentity, localIdentity } from '../../../src/auth/identity.ts';
import { codecs } from '../../support/codecs.ts';
import { makeGateway, user } from '../fixtures.ts';

const targets = ['a:*', 'b:*', 'c:*', 'd:*'];

/** A turn has time for one subscription. Client 1 has asked for all, and its first was made. */
async function subscribing(identity = anonymousIdentity, list = targets) {
  const gateway = await makeGateway({ turnBudgetMs: 0 });
  const { connect, settle, turns } = gateway;
  const one = connect(identity);
  const other = connect();
  await settle();
  const subscriptions = list.map((topic) => ({ topic }));
  one.command({ kind: 'subscribe', id: 1, subscriptions });
  /** The next turn, and the promises that settle then. */
  const turn = async () => {
    turns.turn();
    await new Promise(setImmediate);
  };
  await turn();
  /** The kinds of the frames that client 1 was sent for its patterns, each with the offsets. */
  const told = () =>
    one.connection.frames().flatMap((frame): (string | number)[] => {
      if (frame.kind === 'subscribed' && frame.id === 1) return ['subscribed'];
      return frame.kind === 'batch' ? frame.publications.map(({ offset }) => offset) : [];
    });
  const subscribed = () => [...one.session.views.values()].map(({ target }) => target);
  return { ...gateway, one, other, turn, told, subscribed };
}

test('a list of patterns takes turns, and commands of other clients are run between them', async () => {
  const { one, other, turn, settle, told, subscribed } = await subscribing();
  other.command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'x' }] });
  expect(subscribed()).not.toContain('d:*');
  await turn();
  await turn();
  expect([other.connection.replies(2).length, told()]).toEqual([1, []]);
  await settle();
  const granted = targets.map((topic) => ({ topic, view: expect.any(Number) }));
  expect(one.connection.replies(1)).toMatchObject([{ kind: 'subscribed', results: granted }]);
});

test('commands that the client sends meanwhile are run after the list', async () => {
  const { one, settle } = await subscribing();
  one.command({ kind: 'unsubscribe', id: 2, topics: ['a:*', 'd:*'] });
  one.command({ kind: 'status', id: 3 });
  await settle();
  const replies = one.connection.frames().filter(({ id }) => id > 0);
  expect(replies.map(({ id }) => id)).toEqual([1, 2, 3]);
  const status = one.connection.of('status')[0];
  expect(status?.subscriptions.map(({ topic }) => topic)).toEqual(['$all', 'b:*', 'c:*']);
});

test('what is published meanwhile follows the reply, each once, though the connection drains before', async () => {
  const { one, publish, turn, settle, told } = await subscribing();
  for (let i = 0; i < 4; i++) {
    await publish('a:1', {});
    one.connection.drain();
    await turn();
  }
  await settle();
  await publish('a:1', {});
  await settle();
  expect(told()).toEqual(['subscribed', 1, 2, 3, 4, 5]);
});

test('after the list the session gets frames live', async () => {
  const { one, settle } = await subscribing();
  await settle();
  expect([one.session.views.isPaused, one.session.views.isCatchingUp]).toEqual([false, false]);
});

test('a client that leaves meanwhile is subscribed to no more', async () => {
  const { one, sessions, fanout, turn, settle, faults } = await subscribing();
  await turn();
  sessions.close(one.session);
  const left = fanout.viewCount;
  await settle();
  expect([fanout.viewCount, one.session.views.size, faults]).toEqual([left, 0, []]);
});

test('a fault in one of them undoes those before it', async () => {
  const { one, turn, settle, broker, subscribed, faults } = await subscribing();
  await turn();
  const { topicsOf } = broker;
  broker.topicsOf = () => {
    throw new Error('a fault');
  };
  await settle();
  broker.topicsOf = topicsOf;
  expect(one.connection.replies(1)).toMatchObject([{ kind: 'error', code: 'internal' }]);
  expect([subscribed(), faults.length]).toEqual([['$all'], 1]);
  expect(one.session.views.isPaused).toBe(false);
});

test('a subscription that is no longer permitted when the list is done is told as refused', async () => {
  const permissions = [{ pattern: 'closed:*', allow: ['subscribe' as const] }];
  const list = ['closed:*', 'b:*', 'c:*'];
  const { one, sessions, turn, settle, subscribed } = await subscribing(user('u', { permissions }), list);
  await turn();
  expect(subscribed()).toContain('closed:*');
  one.session.becomes(user('u'));
  sessions.reauthorize(() => false);
  await settle();
  expect(subscribed()).toEqual(['$all', 'user:u', 'b:*', 'c:*']);
  const [reply] = one.connection.replies(1);
  expect(reply?.kind === 'subscribed' && reply.results).toMatchObject([
    { topic: 'closed:*', error: { code: 'forbidden' } },
    { topic: 'b:*', view: expect.any(Number) },
    { topic: 'c:*', view: expect.any(Number) },
  ]);
});

test('the time of all turns is charged to the client', async () => {
  const gateway = await makeGateway({ turnBudgetMs: 0, commandsPerSecond: 10 });
  const { connect, settle, turns, broker } = gateway;
  const { command, connection } = connect(anonymousIdentity, codecs.json);
  await settle();
  const topicsOf = broker.topicsOf.bind(broker);
  broker.topicsOf = (pattern) => {
    turns.elapse(4);
    return topicsOf(pattern);
  };
  command({ kind: 'subscribe', id: 1, subscriptions: targets.map((topic) => ({ topic })) });
  await settle();
  command({ kind: 'status', id: 2 });
  await settle();
  expect(connection.replies(2)).toMatchObject([{ kind: 'error', code: 'rate_limited' }]);
});

/** Two clients that have had nothing of 2000 topics, and there is room for the lists of one of them. */
async function farBack() {
  const gateway = await makeGateway({
    backlogs: { perPayer: 20_000, total: 20_000, leavesRoom: true },
    broker: { topicsMax: 2000 },
    fanout: { viewsPerTopic: 1, viewsMax: 100 },
  });
  const { connect, publish, settle, broker } = gateway;
  for (let i = 0; i < 2000; i++) await publish(`p:${i}`, {});
  const cursor = `${broker.commits.epoch}.0`;
  const clients = [connect(), connect()] as const;
  await settle();
  const subscribe = async ({ command, connection }: (typeof clients)[number], id: number) => {
    connection.stalled = true;
    connection.buffered = connection.limitBytes / 2;
    command({ kind: 'subscribe', id, subscriptions: [{ topic: 'p:*', cursor }] });
    await settle();
    const [reply] = connection.replies(id);
    return reply?.kind === 'subscribed' ? reply.results[0] : undefined;
  };
  return { ...gateway, clients, subscribe };
}

test('while the lists of subscribers that are far back take all room, others are refused for a moment', async () => {
  const { clients, subscribe, settle, backlogs } = await farBack();
  const [one, other] = clients;
  expect([await subscribe(one, 1), await subscribe(other, 2)]).toMatchObject([
    { view: expect.any(Number) },
    { error: { code: 'rate_limited', retry: true } },
  ]);
  expect(backlogs.total).toBe(2000 * 8);
  one.connection.stalled = false;
  one.connection.drain();
  await settle();
  expect([backlogs.total, one.session.views.isCatchingUp]).toEqual([0, false]);
  expect(await subscribe(other, 3)).toMatchObject({ view: expect.any(Number) });
});

test('a subscriber that continues where another subscription of its session was is charged for its lists', async () => {
  const { clients, subscribe, subscriber, backlogs } = await farBack();
  const [{ session }] = clients;
  await subscribe(clients[0], 1);
  const other = [{ topic: 'p:*', intervalMs: 1000, replaces: true }];
  const prepared = await subscriber.prepare(session, other);
  expect(await subscriber.subscribe(session, other, prepared)).toMatchObject([{ intervalMs: 1000 }]);
  expect(backlogs.total).toBe(2000 * 8);
});

describe('a subscription that is refused leaves the one that it would replace as it was:', () => {
  const filter = { op: 'eq', tag: 'n', value: '1' } as const;
  const taken = { topic: 'p:*', filter: { op: 'eq', tag: 'n', value: '2' } } as const;
  test.each([
    ['one of the client, where lists take all room', [], { replaces: true, conflate: true }, 'rate_limited'],
    ['one of the gateway, where lists take all room', ['p:*'], {}, 'rate_limited'],
    ['one of the client, where no view is free', [], { replaces: true, filter }, 'too_many_views'],
  ] as const)('%s', async (_, joins, asked, code) => {
    const { connect, clients, subscribe, subscriber, settle, publish, broker } = await farBack();
    const { connection, command, session } = connect({ ...localIdentity, joins });
    if (joins.length === 0) command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'p:*' }] });
    clients[1].command({ kind: 'subscribe', id: 1, subscriptions: [taken] });
    await settle();
    await subscribe(clients[0], 2);
    const before = [...session.views.values()];
    const list = [{ topic: 'p:*', cursor: `${broker.commits.epoch}.0`, ...asked }];
    const prepared = await subscriber.prepare(session, list);
    expect(await subscriber.subscribe(session, list, prepared)).toMatchObject([{ error: { code } }]);
    session.views.resume();
    await settle();
    expect([...session.views.values()]).toEqual(before);
    await publish('p:7');
    await settle();
    expect(connection.of('batch').at(-1)).toMatchObject({ topic: 'p:7', after: 1, upto: 2 });
  });
});

test('a subscription takes the place of the one that it replaces, where no other is free', async () => {
  const { clients, subscriber, settle, fanout } = await farBack();
  const [{ session }] = clients;
  for (const value of ['1', '2']) {
    const filter = { op: 'eq', tag: 'n', value } as const;
    const list = [{ topic: 'p:*', filter, replaces: true }];
    const prepared = await subscriber.prepare(session, list);
    expect(await subscriber.subscribe(session, list, prepared)).toMatchObject([{ topic: 'p:*' }]);
    session.views.resume();
    await settle();
  }
  const { viewCount } = fanout;
  expect(session.views.size).toBe(2);
  session.views.end();
  expect(fanout.viewCount).toBe(viewCount - 1);
});

test('a subscriber that leaves frees its lists, and one that is refused leaves no view', async () => {
  const { clients, subscribe, sessions, fanout, backlogs } = await farBack();
  const [one, other] = clients;
  await subscribe(one, 1);
  await subscribe(other, 2);
  const { viewCount } = fanout;
  sessions.close(one.session);
  expect([backlogs.total, fanout.viewCount]).toEqual([0, viewCount - 1]);
});
