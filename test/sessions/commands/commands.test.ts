import { describe, expect, test } from 'vitest';
import type { Subscription } from '../../../src/protocol/frames.ts';
import { publishOf } from '../../../src/protocol/publication.ts';
import { topicOf } from '../../fanout/fixtures.ts';
import { codecs } from '../../support/codecs.ts';
import { json, WaitingEngine } from '../../topics/fixtures.ts';
import { client, verified } from '../client.ts';
import { makeGateway, user } from '../fixtures.ts';

const badSubscriptions: readonly [string, Subscription, string][] = [
  ['a filter without values', { topic: 'b', filter: { op: 'in', tag: 'k', values: [] } }, 'invalid_filter'],
  [
    'a filter that is too long',
    { topic: 'b', filter: { op: 'exists', tag: 'x'.repeat(1025) } },
    'invalid_filter',
  ],
  ['no topic', { topic: '' }, 'invalid_request'],
  ['a topic that is too long', { topic: 'x'.repeat(1025) }, 'invalid_request'],
  ['an interval that is none', { topic: 'b', intervalMs: 1.5 }, 'invalid_request'],
  ['an offset that is none', { topic: 'b', since: { epoch: 'e', offset: -1 } }, 'invalid_request'],
];

describe.each(Object.values(codecs).map((codec) => [codec.name, codec] as const))(
  'commands over %s',
  (_, codec) => {
    test('a session is greeted and joins the topic of broadcasts', async () => {
      const { greeting, session, publish, turns, connection, limits } = await client(codec);
      expect(greeting).toMatchObject([
        { kind: 'connected', id: 0, session: session.id, limits },
        { kind: 'subscribed', id: 0, results: [{ topic: '$all', epoch: '', offset: 0 }] },
      ]);
      await publish('$all', { payload: json('hello') });
      turns.settle();
      expect(connection.of('batch')).toMatchObject([{ publications: [{ payload: json('hello') }] }]);
    });

    test('a user joins the topic that is theirs', async () => {
      const { greeting } = await client(codec, {}, user('a b'));
      expect(greeting[1]).toMatchObject({ results: [{ topic: '$all' }, { topic: 'user:a%20b' }] });
    });

    test('connect takes a token, tells who it is, and joins the user’s topic', async () => {
      const { tokens, connection, session, ask } = await client(codec);
      tokens.set('good', verified(user('alice', { expiresAtMs: 2_000_000 })));
      expect(await ask({ kind: 'connect', id: 1, token: 'good', client: 'test' })).toMatchObject({
        kind: 'connected',
        user: 'alice',
        expiresMs: 2_000_000,
      });
      expect(connection.of('subscribed')).toMatchObject([{ results: [{ topic: 'user:alice' }] }]);
      expect([session.introduction?.client, session.identity.user]).toEqual(['test', 'alice']);
    });

    test('connect once; a bad token is refused', async () => {
      const { codeOf, session } = await client(codec);
      expect(await codeOf({ kind: 'connect', id: 1, token: 'bad' })).toBe('unauthorized');
      expect(await codeOf({ kind: 'connect', id: 2 })).toBe('already_connected');
      expect(session.identity.user).toBeUndefined();
    });

    test('subscribe replies for each topic, then come the updates', async () => {
      const { subscribe, publish, turns, connection, broker } = await client(codec);
      await publish('a', {});
      const results = await subscribe(1, { topic: 'a' }, { topic: 'not a topic' }, { topic: 'state' });
      expect(results).toMatchObject([
        { topic: 'a', mode: 'stream', epoch: topicOf(broker, 'a').epoch, offset: 1 },
        { topic: 'not a topic', error: { code: 'invalid_topic' } },
        { topic: 'state', mode: 'state', epoch: '', offset: 0 },
      ]);
      await publish('a', { type: 'stats', key: 'k', tags: { t: '1' }, payload: json({ n: 1 }) });
      turns.settle();
      const view = 'view' in (results[0] ?? {}) ? (results[0] as { view: number }).view : 0;
      expect(connection.of('batch')).toMatchObject([
        { view, after: 1, upto: 2, publications: [{ offset: 2, type: 'stats', payload: json({ n: 1 }) }] },
      ]);
    });

    test('subscribe with a position sends what was missed after the reply, once', async () => {
      const { subscribe, publish, turns, connection, broker, counts } = await client(codec);
      await publish('a', {}, {}, {});
      const { epoch } = topicOf(broker, 'a');
      const [result] = await subscribe(1, { topic: 'a', since: { epoch, offset: 1 } });
      expect(result).toMatchObject({ offset: 1, recovered: true });
      await publish('a');
      turns.settle();
      const kinds = connection.frames().map((frame) => frame.kind);
      expect(kinds[0]).toBe('subscribed');
      const offsets = connection
        .of('batch')
        .flatMap(({ publications }) => publications.map(({ offset }) => offset));
      expect([offsets, counts.of('recoveriesTotal', 'recovered')]).toEqual([[2, 3, 4], 1]);
    });

    test('subscribe in state mode sends a snapshot after the reply', async () => {
      const { subscribe, publish, connection } = await client(codec);
      await publish('state', { key: 'a' }, { key: 'b' }, { key: 'a' });
      await subscribe(1, { topic: 'state' });
      expect(connection.of('snapshot')).toMatchObject([
        { offset: 3, first: true, last: true, publications: [{ key: 'b' }, { key: 'a' }] },
      ]);
    });

    test('subscribe with the last N sends N', async () => {
      const { subscribe, publish, connection } = await client(codec);
      await publish('a', {}, {}, {}, {});
      await subscribe(1, { topic: 'a', last: 2 });
      expect(
        connection.of('batch').flatMap(({ publications }) => publications.map(({ offset }) => offset)),
      ).toEqual([3, 4]);
    });

    test('a pattern returns the positions of its topics, and takes them back', async () => {
      const { subscribe, publish, connection, command, settle, broker } = await client(codec);
      await publish('p:1', {}, {});
      const [result] = await subscribe(1, { topic: 'p:*' });
      const { epoch } = topicOf(broker, 'p:1');
      expect(result).toMatchObject({ topic: 'p:*', topics: [{ topic: 'p:1', epoch, offset: 2 }] });
      command({ kind: 'unsubscribe', id: 2, topics: ['p:*'] });
      await publish('p:1');
      await publish('p:2');
      await settle();
      connection.forget();
      await subscribe(3, { topic: 'p:*', positions: [{ topic: 'p:1', epoch, offset: 2 }] });
      expect(connection.of('batch').map(({ topic, after, upto }) => [topic, after, upto])).toEqual([
        ['p:1', 2, 3],
        ['p:2', 0, 1],
      ]);
    });

    test('a pattern returns the mode of each topic, also of those that are no more', async () => {
      const { subscribe, publish } = await client(codec);
      await publish('state:1', { key: 'a' });
      await publish('p:1');
      const gone = (topic: string) => [{ topic, epoch: 'e', offset: 3 }];
      const results = await subscribe(
        1,
        { topic: 'state:*', positions: gone('state:2') },
        { topic: 'p:*', positions: gone('p:2') },
      );
      const topics = results.flatMap((result) => ('topics' in result ? (result.topics ?? []) : []));
      expect(topics.map(({ topic, mode, epoch }) => [topic, mode, epoch !== ''])).toEqual([
        ['state:1', 'state', true],
        ['state:2', 'state', false],
        ['p:1', 'stream', true],
        ['p:2', 'stream', false],
      ]);
    });

    test('unsubscribe ends by view or by topic, and nothing more comes', async () => {
      const { subscribe, connection, publish, turns, codeOf, ask } = await client(codec);
      const results = await subscribe(1, { topic: 'a' }, { topic: 'b' });
      const views = results.map((result) => ('view' in result ? result.view : 0));
      expect(await ask({ kind: 'unsubscribe', id: 2, views: views.slice(0, 1) })).toMatchObject({
        kind: 'unsubscribed',
        views: [views[0]],
      });
      expect(await ask({ kind: 'unsubscribe', id: 3, topics: ['b'] })).toMatchObject({
        kind: 'unsubscribed',
        views: [views[1]],
      });
      connection.forget();
      await publish('a');
      await publish('b');
      turns.settle();
      expect(connection.messages).toEqual([]);
      expect(await codeOf({ kind: 'unsubscribe', id: 4, topics: ['a'] })).toBe('not_subscribed');
      expect(await codeOf({ kind: 'unsubscribe', id: 5 })).toBe('invalid_request');
    });

    test('unsubscribe ends what there is, whatever else its list holds', async () => {
      const { subscribe, ask, session } = await client(codec);
      const [result] = await subscribe(1, { topic: 'a' });
      const view = result !== undefined && 'view' in result ? result.view : 0;
      expect(
        await ask({ kind: 'unsubscribe', id: 2, views: [view + 1000], topics: ['x'.repeat(1025), 'b', 'a'] }),
      ).toMatchObject({ kind: 'unsubscribed', views: [view] });
      expect([...session.views.values()].map(({ target }) => target)).toEqual(['$all']);
    });

    // Protobuf can't write the last two.
    test.each(codec.name === 'json' ? badSubscriptions : badSubscriptions.slice(0, 4))(
      'a bulk subscribe with %s refuses that one only',
      async (_, bad, code) => {
        const { subscribe, session } = await client(codec);
        const results = await subscribe(1, { topic: 'a' }, bad, { topic: 'c' });
        expect(results).toMatchObject([
          { topic: 'a', epoch: '' },
          { error: { code } },
          { topic: 'c', epoch: '' },
        ]);
        expect([...session.views.values()].map(({ target }) => target)).toEqual(['$all', 'a', 'c']);
      },
    );

    test('a position that is none does not harm the others of its pattern', async () => {
      const { subscribe, publish, broker } = await client(codec);
      await publish('p:1');
      await publish('p:2');
      const { epoch } = topicOf(broker, 'p:1');
      const positions = [
        { topic: 'x'.repeat(1025), epoch: 'e', offset: 1 },
        { topic: 'p:1', epoch, offset: 1 },
      ];
      const [result] = await subscribe(1, { topic: 'p:*', positions });
      expect(result).toMatchObject({
        topics: [
          { topic: 'p:1', offset: 1, recovered: true },
          // Not named: all that there is of it is sent.
          { topic: 'p:2', offset: 0, recovered: true },
        ],
      });
    });

    test('a pattern of which no position is one is not taken for new', async () => {
      const { subscribe, publish } = await client(codec);
      await publish('p:1');
      const [result] = await subscribe(1, {
        topic: 'p:*',
        positions: [{ topic: 'x'.repeat(1025), epoch: '', offset: 0 }],
      });
      expect(result).toMatchObject({ topics: [{ topic: 'p:1', offset: 0, recovered: true }] });
    });

    test('a capability that is none does not harm the others', async () => {
      const { command, session, codeOf } = await client(codec);
      command({ kind: 'connect', id: 1, capabilities: ['x'.repeat(1025), 'dictionary'] });
      expect([await codeOf(1), session.introduction?.knowsDictionaries]).toEqual(['connected', true]);
    });

    test('publish returns the position, and a repeat the same one', async () => {
      const { command, settle, broker, connection } = await client(codec);
      const publish = {
        kind: 'publish',
        ...publishOf({ topic: 'a', type: 'update', payload: json([1]), messageId: 'm' }),
      } as const;
      command({ ...publish, id: 1 });
      command({ ...publish, id: 2 });
      await settle();
      const { epoch } = topicOf(broker, 'a');
      expect([...connection.replies(1), ...connection.replies(2)]).toMatchObject([
        { kind: 'published', epoch, offset: 1, duplicate: false },
        { kind: 'published', epoch, offset: 1, duplicate: true },
      ]);
    });

    test('publish keeps its payload though the message’s bytes die', async () => {
      // One that encodes later than it is asked to, as engines on disk do.
      const engine = new WaitingEngine({ isState: () => false });
      const { session, sessions, settle, broker } = await client(codec, { broker: { engine } });
      const message = codec
        .encodeClientFrame({
          kind: 'publish',
          id: 1,
          ...publishOf({ topic: 'a', type: 'update', payload: json('keep me') }),
        })
        .slice();
      sessions.receive(session, message, codec.binary);
      message.fill(0);
      await engine.commit();
      await settle();
      expect(topicOf(broker, 'a').ring.slice(0)[0]?.payload).toEqual(json('keep me'));
    });

    test('history returns a page without what the session was excepted from', async () => {
      const { command, connection, settle, publish, session, broker } = await client(codec, {
        topic: { maxPublications: 4 },
      });
      await publish('a', {}, {}, {}, { except: session.id }, {});
      command({ kind: 'history', id: 1, topic: 'a', after: 0, limit: 3 });
      await settle();
      const { epoch } = topicOf(broker, 'a');
      expect(connection.replies(1)).toMatchObject([
        { kind: 'history', epoch, after: 1, upto: 4, more: true, missing: { after: 0, upto: 1 } },
      ]);
      expect(connection.of('history')[0]?.publications.map(({ offset }) => offset)).toEqual([2, 3]);
    });

    test('history of an unknown topic is empty, and asking stores nothing', async () => {
      const { broker, ask } = await client(codec);
      expect(await ask({ kind: 'history', id: 1, topic: 'unknown' })).toMatchObject({
        kind: 'history',
        epoch: '',
        upto: 0,
        publications: [],
      });
      expect(broker.find('unknown')).toBeUndefined();
    });

    test('presence returns who is in a topic', async () => {
      const { command, connection, connect, session, settle } = await client(
        codec,
        {},
        user('alice', { scopes: ['read'] }),
      );
      const bob = connect(user('bob'));
      for (const each of [command, bob.command]) {
        each({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }] });
      }
      command({ kind: 'presence', id: 2, topic: 'a' });
      await settle();
      expect(connection.replies(2)).toMatchObject([
        {
          kind: 'presence',
          count: 2,
          members: [
            { session: session.id, user: 'alice' },
            { session: bob.session.id, user: 'bob' },
          ],
        },
      ]);
    });

    test('status returns what the gateway knows of the session', async () => {
      const { subscribe, command, connection, session } = await client(codec, {}, user('alice'));
      await subscribe(1, { topic: 'a' });
      command({ kind: 'status', id: 2 });
      const [status] = connection.of('status');
      expect(status).toMatchObject({ id: 2, session: session.id, user: 'alice' });
      expect(status?.subscriptions.map(({ topic }) => topic)).toEqual(['$all', 'user:alice', 'a']);
    });

    test('refresh takes a new token of the same user only', async () => {
      const { tokens, codeOf, session, ask } = await client(codec, {}, user('alice'));
      tokens.set('newer', verified(user('alice', { expiresAtMs: 5_000_000 })));
      tokens.set('of bob', verified(user('bob')));
      expect(await ask({ kind: 'refresh', id: 1, token: 'newer' })).toMatchObject({
        kind: 'refreshed',
        expiresMs: 5_000_000,
      });
      expect(await codeOf({ kind: 'refresh', id: 2, token: 'of bob' })).toBe('forbidden');
      expect(session.identity).toEqual(user('alice', { expiresAtMs: 5_000_000 }));
    });

    test('refresh ends what the new token does not allow, as it was asked for, and nothing else', async () => {
      const every = (pattern: string, ...allow: ('subscribe' | 'presence')[]) => ({ pattern, allow });
      const permissions = [every('closed:*', 'subscribe'), every('room:*', 'presence')];
      const alice = user('alice', { permissions });
      const { subscribe, command, connection, tokens, settle, publish, session } = await client(
        codec,
        {},
        alice,
      );
      const filter = { op: 'exists', tag: 't' } as const;
      const results = await subscribe(
        1,
        { topic: 'closed:1' },
        { topic: 'closed:2' },
        { topic: 'closed:*' },
        { topic: 'open' },
        { topic: 'room:1', presence: true },
        { topic: 'room:1', presence: true, filter },
        { topic: 'room:1', conflate: true },
      );
      const views = results.map((result) => ('view' in result ? result.view : 0));
      connection.forget();
      tokens.set('same', verified(user('alice', { permissions })));
      command({ kind: 'refresh', id: 2, token: 'same' });
      await settle();
      expect(connection.frames()).toMatchObject([{ kind: 'refreshed', id: 2 }]);
      connection.forget();
      tokens.set('less', verified(user('alice', { permissions: [every('closed:2', 'subscribe')] })));
      command({ kind: 'refresh', id: 3, token: 'less' });
      await settle();
      const ended = [views[0], views[2], views[4], views[5]];
      expect(connection.frames()).toMatchObject([
        { kind: 'unsubscribed', id: 0, views: ended, reason: 'forbidden' },
        { kind: 'refreshed', id: 3 },
      ]);
      const left = [...session.views.values()].map(({ target }) => target);
      expect(left).toEqual(['$all', 'user:alice', 'closed:2', 'open', 'room:1']);
      connection.forget();
      await publish('closed:1');
      await publish('closed:2');
      await settle();
      expect(connection.of('batch').map(({ view }) => view)).toEqual([views[1]]);
    });

    test('a token that is refused takes nothing away', async () => {
      const permissions = [{ pattern: 'closed:*', allow: ['subscribe'] }] as const;
      const { subscribe, command, connection, tokens, session, codeOf } = await client(
        codec,
        {},
        user('alice', { permissions }),
      );
      await subscribe(1, { topic: 'closed:1' });
      tokens.set('of bob', verified(user('bob')));
      command({ kind: 'refresh', id: 2, token: 'of bob' });
      command({ kind: 'refresh', id: 3, token: 'bad' });
      expect([await codeOf(2), await codeOf(3)]).toEqual(['forbidden', 'unauthorized']);
      expect(connection.of('unsubscribed')).toEqual([]);
      expect(session.views.size).toBe(3);
    });

    test('connect ends what its token does not allow, the topic of the user before included', async () => {
      const permissions = [{ pattern: 'closed:*', allow: ['subscribe'] }] as const;
      const { subscribe, command, connection, tokens, settle, session } = await client(
        codec,
        {},
        user('alice', { permissions }),
      );
      await subscribe(1, { topic: 'closed:1' }, { topic: 'open' });
      const views = [...session.views.values()].map(({ view }) => view.id);
      tokens.set('of bob', verified(user('bob')));
      command({ kind: 'connect', id: 2, token: 'of bob' });
      await settle();
      expect(connection.of('unsubscribed')).toMatchObject([
        { id: 0, views: [views[1], views[2]], reason: 'forbidden' },
      ]);
      const targets = [...session.views.values()].map(({ target }) => target);
      expect(targets).toEqual(['$all', 'open', 'user:bob']);
    });

    test('ping returns the time, and its round trip is reported', async () => {
      const { turns, counts, ask } = await client(codec);
      expect(await ask({ kind: 'ping', id: 1, roundTripMs: 250 })).toMatchObject({
        kind: 'pong',
        timeMs: turns.nowMs(),
      });
      expect(counts.of('clientRoundTripSeconds')).toBe(0.25);
    });

    test('call is not supported', async () => {
      const { codeOf } = await client(codec);
      expect(await codeOf({ kind: 'call', id: 1, method: 'm' })).toBe('not_supported');
    });

    test('each of many commands gets exactly one reply', async () => {
      const { command, connection, settle } = await client(codec);
      const payload = json(1);
      command({ kind: 'connect', id: 1, token: 'bad' });
      command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'a' }] });
      command({ kind: 'subscribe', id: 3, subscriptions: [{ topic: 'a' }] });
      command({ kind: 'publish', id: 4, ...publishOf({ topic: 'a', type: 'update', payload }) });
      command({ kind: 'publish', id: 5, ...publishOf({ topic: 'a b', type: 'update', payload }) });
      command({ kind: 'publish', id: 6, ...publishOf({ topic: 'a', type: 'batch', payload }) });
      command({ kind: 'history', id: 7, topic: '..' });
      command({ kind: 'unsubscribe', id: 8, views: [9999] });
      command({ kind: 'status', id: 9 });
      await settle();
      const answers = Array.from({ length: 9 }, (_, i) =>
        connection.replies(i + 1).map((frame) => (frame.kind === 'error' ? frame.code : frame.kind)),
      );
      expect(answers).toEqual([
        ['unauthorized'],
        ['subscribed'],
        ['subscribed'],
        ['published'],
        ['invalid_topic'],
        ['invalid_type'],
        ['invalid_topic'],
        ['not_subscribed'],
        ['status'],
      ]);
      expect(connection.replies(3)).toMatchObject([{ results: [{ error: { code: 'already_subscribed' } }] }]);
    });
  },
);

describe('the end of all', () => {
  test('drained resolves with the last connection', async () => {
    const { connect, sessions } = await makeGateway();
    const { session } = connect();
    const drained = sessions.drained(60_000).then(() => sessions.count);
    sessions.close(session);
    expect(await drained).toBe(0);
    await expect(sessions.drained(60_000)).resolves.toBeUndefined();
  });
});

describe('faults', () => {
  test('an unexpected error is answered as internal, its message stays here', async () => {
    const { connection, faults, broker, ask } = await client();
    const secret = new Error('the password is 1234');
    broker.history = () => Promise.reject(secret);
    expect(await ask({ kind: 'history', id: 1, topic: 'a' })).toMatchObject({
      kind: 'error',
      code: 'internal',
    });
    expect(JSON.stringify(connection.frames())).not.toContain('1234');
    expect(faults).toEqual([secret]);
  });
});
