import { describe, expect, test, vi } from 'vitest';
import { SluiceError } from '../../../src/errors.ts';
import type { Fanout } from '../../../src/fanout/fanout.ts';
import type { Filter, Subscription } from '../../../src/protocol/frames.ts';
import { topicOf } from '../../fanout/fixtures.ts';
import { codecs } from '../../support/codecs.ts';
import { json } from '../../topics/fixtures.ts';
import { client } from '../client.ts';
import { makeGateway, user } from '../fixtures.ts';

/** Makes attaching to this target fail, until what it returns is called. */
function refuse(
  fanout: Fanout,
  target: string,
  error: Error = new SluiceError('too_many_views'),
): () => void {
  const attaching = vi.spyOn(fanout, 'attach');
  const { attach } = Object.getPrototypeOf(fanout) as Fanout;
  attaching.mockImplementation((options, payer) => {
    if (options.target === target) throw error;
    return attach.call(fanout, options, payer);
  });
  return () => attaching.mockRestore();
}

describe('subscriptions', () => {
  const eq: Filter = { op: 'eq', tag: 'a', value: '1' };

  test.each<[string, Subscription, string]>([
    ['since and last', { topic: 'a', since: { epoch: 'E', offset: 1 }, last: 1 }, 'invalid_request'],
    ['a pattern with since', { topic: 'p:*', since: { epoch: 'E', offset: 1 } }, 'invalid_request'],
    ['a pattern with presence', { topic: 'p:*', presence: true }, 'invalid_request'],
    ['presence where it may not be seen', { topic: 'a', presence: true }, 'forbidden'],
    ['a pattern with two stars', { topic: 'p*:*' }, 'invalid_topic'],
    ['one of Sluice’s own topics', { topic: '$probe' }, 'forbidden'],
  ])('refused: %s', async (_, subscription, code) => {
    const { subscribe, fanout } = await client();
    const views = fanout.viewCount;
    expect(await subscribe(1, subscription)).toMatchObject([{ topic: subscription.topic, error: { code } }]);
    expect(fanout.viewCount).toBe(views);
  });

  test('a subscribe that names nothing is refused', async () => {
    const { codeOf } = await client();
    expect(await codeOf({ kind: 'subscribe', id: 1, subscriptions: [] })).toBe('invalid_request');
  });

  test('a session has a limit of its own; those of the gateway don’t count', async () => {
    const { subscribe } = await client(codecs.protobuf, { subscriptionsPerSession: 2 }, user('alice'));
    expect(await subscribe(1, { topic: 'a' }, { topic: 'b' }, { topic: 'c' })).toMatchObject([
      { view: expect.any(Number) },
      { view: expect.any(Number) },
      { topic: 'c', error: { code: 'too_many_subscriptions' } },
    ]);
  });

  test('two of one topic with different filters are two', async () => {
    const { subscribe, connection, publish, turns } = await client();
    await subscribe(1, { topic: 'a' }, { topic: 'a', filter: eq });
    await publish('a', { tags: { a: '1' } });
    turns.settle();
    expect(new Set(connection.of('batch').map(({ view }) => view)).size).toBe(2);
  });

  test('the interval that is granted is told', async () => {
    const { subscribe } = await client();
    expect(await subscribe(1, { topic: 'a', intervalMs: 300 })).toMatchObject([{ intervalMs: 500 }]);
  });

  test('naming the topic that the gateway subscribed takes it over, from a position too', async () => {
    const { subscribe, connection, publish, broker, settle, session } = await client();
    await publish('$all', {}, {});
    await settle();
    const { epoch } = topicOf(broker, '$all');
    connection.forget();
    expect(await subscribe(1, { topic: '$all', since: { epoch, offset: 1 } })).toMatchObject([
      { recovered: true },
    ]);
    expect(connection.of('batch')).toMatchObject([{ after: 1, upto: 2 }]);
    expect([...session.views.values()].map(({ target, isAutomatic }) => [target, isAutomatic])).toEqual([
      ['$all', false],
    ]);
  });

  test('where there is no room for one more view, only that subscription is refused', async () => {
    const { subscribe } = await client(codecs.protobuf, { fanout: { viewsMax: 1 } });
    const slow = { intervalMs: 100 };
    expect(await subscribe(1, { topic: 'a', ...slow }, { topic: 'b', ...slow })).toMatchObject([
      { view: expect.any(Number) },
      { error: { code: 'too_many_views', retry: true } },
    ]);
  });

  test('where one fails by a fault of the gateway, there is none of its command', async () => {
    const { subscribe, fanout, command, connection, settle, faults, session } = await client(codecs.protobuf);
    refuse(fanout, 'b', new TypeError('a fault'));
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }, { topic: 'b' }] });
    await settle();
    expect([connection.replies(1), faults.length]).toMatchObject([[{ kind: 'error', code: 'internal' }], 1]);
    expect([...session.views.values()].map(({ target }) => target)).toEqual(['$all']);
    expect(await subscribe(2, { topic: 'a' })).toMatchObject([{ view: expect.any(Number) }]);
  });

  test('its own topics and plain subscriptions have room, however many views others have', async () => {
    const { connect, sessions, settle } = await makeGateway({ fanout: { viewsMax: 1, viewsPerTopic: 1 } });
    const other = connect();
    const slow = ['a', '$all'].map((topic) => ({ topic, intervalMs: 100 }));
    other.command({ kind: 'subscribe', id: 1, subscriptions: slow });
    await settle();
    const { connection, command } = connect(user('alice'));
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }, { topic: 'a*' }, ...slow] });
    await settle();
    const results = connection.of('subscribed').flatMap(({ results: all }) => all);
    expect(results.map((result) => ('error' in result ? result.error.code : result.topic))).toEqual([
      ...['$all', 'user:alice', 'a', 'a*', 'a', 'too_many_views'],
    ]);
    expect(sessions.count).toBe(2);
  });

  test('a topic of its own that could not be joined is joined, and told, once it can', async () => {
    const { connect, sessions, settle, publish, turns, fanout } = await makeGateway();
    const allow = refuse(fanout, 'user:alice');
    const { connection } = connect(user('alice'));
    await settle();
    sessions.sweep();
    await settle();
    expect(connection.of('subscribed')).toMatchObject([
      { results: [{ topic: '$all' }, { topic: 'user:alice', error: { code: 'too_many_views' } }] },
    ]);
    allow();
    connection.forget();
    sessions.sweep();
    await settle();
    expect(connection.of('subscribed')).toMatchObject([{ id: 0, results: [{ topic: 'user:alice' }] }]);
    await publish('user:alice', { payload: json('hello') });
    turns.settle();
    expect(connection.of('batch')).toMatchObject([{ publications: [{ payload: json('hello') }] }]);
    sessions.sweep();
    await settle();
    expect(connection.of('subscribed')).toHaveLength(1);
  });

  test('a topic of its own that can be joined now is told after what was asked for before', async () => {
    const { connect, sessions, settle, fanout, broker } = await makeGateway();
    const allow = refuse(fanout, 'user:alice');
    const { connection, command } = connect(user('alice'));
    await settle();
    let go = () => {};
    const slow = new Promise<void>((resolve) => {
      go = resolve;
    });
    const [load, isLoaded] = [broker.load.bind(broker), broker.isLoaded.bind(broker)];
    broker.isLoaded = (topic) => topic !== 'a' && isLoaded(topic);
    broker.load = async (topic) => {
      if (topic === 'a') await slow;
      return load(topic);
    };
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }] });
    allow();
    sessions.sweep();
    await settle();
    go();
    await settle();
    const told = connection.of('subscribed').map(({ results }) => results.map(({ topic }) => topic));
    expect(told).toEqual([['$all', 'user:alice'], ['a'], ['user:alice']]);
  });

  test.each(['a bulk subscribe', 'joining its own topics'])(
    'a topic that can not be loaded does not harm the others: %s',
    async (how) => {
      const broken = how === 'a bulk subscribe' ? 'b' : 'user:alice';
      const { connect, settle, broker } = await makeGateway();
      const load = broker.load.bind(broker);
      broker.isLoaded = () => false;
      broker.load = (topic) =>
        topic === broken ? Promise.reject(new SluiceError('engine_unavailable')) : load(topic);
      const { command, connection } = connect(user('alice'));
      await settle();
      command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }, { topic: 'b' }, { topic: 'c' }] });
      await settle();
      const results = connection.of('subscribed').flatMap(({ results: all }) => all);
      const refused = results.flatMap((result) =>
        'error' in result ? [[result.topic, result.error.code]] : [],
      );
      expect(refused).toEqual([[broken, 'engine_unavailable']]);
      expect(results.map(({ topic }) => topic)).toEqual(['$all', 'user:alice', 'a', 'b', 'c']);
    },
  );

  test('where there is no room to watch presence, the subscription is refused whole', async () => {
    const { subscribe, session, presence, fanout } = await client(
      codecs.protobuf,
      {},
      { permissions: [], scopes: ['read'] },
    );
    refuse(fanout, '$presence/a');
    expect(await subscribe(1, { topic: 'a', presence: true })).toMatchObject([
      { error: { code: 'too_many_views' } },
    ]);
    expect([session.views.size, presence.count('a'), fanout.viewCount]).toEqual([1, 0, 1]);
  });

  test('a client that watches presence is told which sessions join and leave', async () => {
    const { subscribe, connect, turns, sessions, connection } = await client(
      codecs.protobuf,
      {},
      { permissions: [], scopes: ['read'] },
    );
    await subscribe(1, { topic: 'a', presence: true });
    const bob = connect(user('bob'));
    bob.command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }, { topic: 'a', filter: eq }] });
    turns.settle();
    sessions.close(bob.session);
    turns.settle();
    expect([...connection.of('joined'), ...connection.of('left')]).toMatchObject([
      { kind: 'joined', topic: 'a', member: { user: 'bob' } },
      { kind: 'left', topic: 'a', member: { user: 'bob' } },
    ]);
  });

  test('the path of a connection subscribes at once', async () => {
    const { sessions, session, connection, publish, turns } = await client();
    sessions.subscribeAtOpening(session, 'a');
    sessions.subscribeAtOpening(session, 'closed:1');
    await publish('a');
    turns.settle();
    expect(connection.of('subscribed')).toMatchObject([
      { results: [{ topic: 'a', view: expect.any(Number) }] },
      { results: [{ error: { code: 'forbidden' } }] },
    ]);
    expect(connection.of('batch')).toHaveLength(1);
  });
});

describe('a fault of the gateway in a subscription that no command asked for', () => {
  const fault = new Error('broken');
  const broken = (): never => {
    throw fault;
  };

  test('to the topic of the path is logged, and the client is told', async () => {
    const { sessions, subscriber, faults, connect, settle } = await makeGateway();
    const { session, connection, command } = connect();
    await settle();
    connection.forget();
    subscriber.subscribe = broken;
    sessions.subscribeAtOpening(session, 't');
    await settle();
    expect(faults).toEqual([fault]);
    const [told] = connection.of('subscribed');
    expect(told?.results).toMatchObject([{ topic: 't', error: { code: 'internal' } }]);
    command({ kind: 'ping', id: 1 });
    expect(connection.replies(1)).toHaveLength(1);
  });

  test('to its own topics is logged, and the session opens', async () => {
    const { subscriber, faults, connect, settle } = await makeGateway();
    subscriber.subscribeAutomatically = broken;
    const { connection, command } = connect();
    await settle();
    expect(faults).toEqual([fault]);
    command({ kind: 'ping', id: 1 });
    expect(connection.replies(1)).toHaveLength(1);
  });
});
