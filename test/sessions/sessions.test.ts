import { describe, expect, test } from 'vitest';
import type { Identity } from '../../src/auth/identity.ts';
import type { TokenResult } from '../../src/auth/tokens.ts';
import { SluiceError } from '../../src/errors.ts';
import type { Filter, SubscribeResult, Subscription } from '../../src/protocol/frames.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import { utf8 } from '../../src/protocol/utf8.ts';
import { topicOf } from '../fanout/fixtures.ts';
import { codecs } from '../support/codecs.ts';
import { json, WaitingEngine } from '../topics/fixtures.ts';
import { makeGateway, user } from './fixtures.ts';

const verified = (identity: Identity): TokenResult => ({ ok: true, identity });

const granted = { permissions: [{ pattern: 'closed:*', allow: ['subscribe', 'publish'] as const }] };

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

/** A gateway with one client whose greeting is over. */
async function client(
  codec: (typeof codecs)[keyof typeof codecs] = codecs.protobuf,
  options: Parameters<typeof makeGateway>[0] = {},
  identity?: Identity,
) {
  const gateway = await makeGateway(options);
  const connected = gateway.connect(identity, codec);
  const greeting = connected.connection.frames();
  connected.connection.forget();
  const subscribe = async (
    id: number,
    ...subscriptions: Subscription[]
  ): Promise<readonly SubscribeResult[]> => {
    connected.command({ kind: 'subscribe', id, subscriptions });
    await gateway.settle();
    const [reply] = connected.connection.replies(id);
    if (reply?.kind !== 'subscribed') throw new Error(`answered by ${reply?.kind}`);
    return reply.results;
  };
  const codeOf = async (id: number): Promise<string | undefined> => {
    await gateway.settle();
    const replies = connected.connection.replies(id);
    expect(replies).toHaveLength(1);
    return replies[0]?.kind === 'error' ? replies[0].code : replies[0]?.kind;
  };
  return { ...gateway, ...connected, greeting, subscribe, codeOf };
}

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
      const { tokens, command, connection, session, settle } = await client(codec);
      tokens.set('good', verified(user('alice', { expiresAtMs: 2_000_000 })));
      command({ kind: 'connect', id: 1, token: 'good', client: 'test' });
      await settle();
      expect(connection.replies(1)).toMatchObject([
        { kind: 'connected', user: 'alice', expiresMs: 2_000_000 },
      ]);
      expect(connection.of('subscribed')).toMatchObject([{ results: [{ topic: 'user:alice' }] }]);
      expect([session.introduction?.client, session.identity.user]).toEqual(['test', 'alice']);
    });

    test('connect once; a bad token is refused', async () => {
      const { command, codeOf, session } = await client(codec);
      command({ kind: 'connect', id: 1, token: 'bad' });
      expect(await codeOf(1)).toBe('unauthorized');
      command({ kind: 'connect', id: 2 });
      expect(await codeOf(2)).toBe('already_connected');
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
      const { subscribe, command, connection, publish, turns, codeOf } = await client(codec);
      const results = await subscribe(1, { topic: 'a' }, { topic: 'b' });
      const views = results.map((result) => ('view' in result ? result.view : 0));
      command({ kind: 'unsubscribe', id: 2, views: views.slice(0, 1) });
      expect(connection.replies(2)).toMatchObject([{ kind: 'unsubscribed', views: [views[0]] }]);
      command({ kind: 'unsubscribe', id: 3, topics: ['b'] });
      expect(connection.replies(3)).toMatchObject([{ kind: 'unsubscribed', views: [views[1]] }]);
      connection.forget();
      await publish('a');
      await publish('b');
      turns.settle();
      expect(connection.messages).toEqual([]);
      command({ kind: 'unsubscribe', id: 4, topics: ['a'] });
      expect(await codeOf(4)).toBe('not_subscribed');
      command({ kind: 'unsubscribe', id: 5 });
      expect(await codeOf(5)).toBe('invalid_request');
    });

    test('unsubscribe ends what there is, whatever else its list holds', async () => {
      const { subscribe, command, connection, session } = await client(codec);
      const [result] = await subscribe(1, { topic: 'a' });
      const view = result !== undefined && 'view' in result ? result.view : 0;
      command({ kind: 'unsubscribe', id: 2, views: [view + 1000], topics: ['x'.repeat(1025), 'b', 'a'] });
      expect(connection.replies(2)).toMatchObject([{ kind: 'unsubscribed', views: [view] }]);
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
      const { command, connection, settle, broker } = await client(codec);
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
      const { command, connection, settle, broker } = await client(codec);
      command({ kind: 'history', id: 1, topic: 'unknown' });
      await settle();
      expect(connection.replies(1)).toMatchObject([
        { kind: 'history', epoch: '', upto: 0, publications: [] },
      ]);
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
      const { command, connection, tokens, codeOf, session, settle } = await client(codec, {}, user('alice'));
      tokens.set('newer', verified(user('alice', { expiresAtMs: 5_000_000 })));
      tokens.set('of bob', verified(user('bob')));
      command({ kind: 'refresh', id: 1, token: 'newer' });
      await settle();
      expect(connection.replies(1)).toMatchObject([{ kind: 'refreshed', expiresMs: 5_000_000 }]);
      command({ kind: 'refresh', id: 2, token: 'of bob' });
      expect(await codeOf(2)).toBe('forbidden');
      expect(session.identity).toEqual(user('alice', { expiresAtMs: 5_000_000 }));
    });

    test('refresh ends what the new token does not allow, as it was asked for, and nothing else', async () => {
      const every = (pattern: string, ...allow: ('subscribe' | 'presence')[]) => ({ pattern, allow });
      const permissions = [every('closed:*', 'subscribe'), every('room:*', 'presence')];
      const alice = user('alice', { permissions });
      const { subscribe, command, connection, tokens, session, settle, publish } = await client(
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
      const { subscribe, command, connection, tokens, session, settle } = await client(
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
      const { command, connection, turns, counts } = await client(codec);
      command({ kind: 'ping', id: 1, roundTripMs: 250 });
      expect(connection.replies(1)).toMatchObject([{ kind: 'pong', timeMs: turns.nowMs() }]);
      expect(counts.of('clientRoundTripSeconds')).toBe(0.25);
    });

    test('call is not supported', async () => {
      const { command, codeOf } = await client(codec);
      command({ kind: 'call', id: 1, method: 'm' });
      expect(await codeOf(1)).toBe('not_supported');
    });

    test('a message of the other kind is refused, and the session lives on', async () => {
      const { session, sessions, connection, command, codeOf } = await client(codec);
      sessions.receive(session, codec.encodeClientFrame({ kind: 'ping', id: 7 }), !codec.binary);
      expect(connection.of('error')).toMatchObject([{ id: 0, code: 'invalid_frame' }]);
      command({ kind: 'ping', id: 8 });
      expect(await codeOf(8)).toBe('pong');
    });

    test('a message that is no frame is refused', async () => {
      const { session, sessions, connection } = await client(codec);
      sessions.receive(session, Uint8Array.of(0xff, 0xff, 0xff), codec.binary);
      expect(connection.frames()).toMatchObject([{ kind: 'error', id: 0 }]);
    });

    test('a message may be as large as the limit and no larger', async () => {
      const command = { kind: 'ping', id: 9 } as const;
      const message = codec.encodeClientFrame(command);
      const fits = await client(codec, { frameMaxBytes: message.length });
      fits.command(command);
      expect(await fits.codeOf(9)).toBe('pong');
      const tooLarge = await client(codec, { frameMaxBytes: message.length - 1 });
      tooLarge.command(command);
      expect(tooLarge.connection.frames()).toMatchObject([{ kind: 'error', id: 0, code: 'frame_too_large' }]);
    });

    test('too many commands are refused by their id, with the time to wait', async () => {
      const { command, connection, turns, codeOf, counts } = await client(codec, { commandsPerSecond: 2 });
      for (let id = 1; id <= 3; id++) command({ kind: 'ping', id });
      expect(connection.replies(3)).toMatchObject([
        { kind: 'error', code: 'rate_limited', retry: true, retryAfterMs: 500 },
      ]);
      expect(counts.of('rateLimitedTotal', 'command')).toBe(1);
      turns.advance(500);
      command({ kind: 'ping', id: 4 });
      expect(await codeOf(4)).toBe('pong');
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

describe('permissions', () => {
  test('what the namespace closes needs a permission', async () => {
    const { subscribe, command, codeOf } = await client();
    const closed: Subscription[] = [
      { topic: 'closed:1' },
      { topic: 'closed:*' },
      { topic: '*' },
      { topic: 'user:alice' },
    ];
    expect(await subscribe(1, ...closed)).toMatchObject(closed.map(() => ({ error: { code: 'forbidden' } })));
    command({
      kind: 'publish',
      id: 2,
      ...publishOf({ topic: 'closed:1', type: 'update', payload: json(1) }),
    });
    expect(await codeOf(2)).toBe('forbidden');
    command({ kind: 'history', id: 3, topic: 'closed:1' });
    expect(await codeOf(3)).toBe('forbidden');
    command({ kind: 'presence', id: 4, topic: 'closed:1' });
    expect(await codeOf(4)).toBe('forbidden');
  });

  test('a token’s permission opens it', async () => {
    const { subscribe, command, codeOf } = await client(codecs.protobuf, {}, user('alice', granted));
    expect(await subscribe(1, { topic: 'closed:1' }, { topic: 'closed:*' })).toMatchObject([
      { view: expect.any(Number) },
      { view: expect.any(Number) },
    ]);
    command({
      kind: 'publish',
      id: 2,
      ...publishOf({ topic: 'closed:1', type: 'update', payload: json(1) }),
    });
    expect(await codeOf(2)).toBe('published');
  });

  test('no client publishes to Sluice’s own topics, whatever its scopes', async () => {
    const { command, codeOf } = await client(
      codecs.protobuf,
      {},
      user('root', { scopes: ['publish', 'read', 'admin'] }),
    );
    command({ kind: 'publish', id: 1, ...publishOf({ topic: '$all', type: 'update', payload: json(1) }) });
    expect(await codeOf(1)).toBe('forbidden');
  });

  test('a payload that is not JSON is refused in protobuf too', async () => {
    const { command, codeOf } = await client();
    const publish = {
      kind: 'publish',
      ...publishOf({ topic: 'a', type: 'update', payload: json(1) }),
    } as const;
    command({ ...publish, id: 1, payload: { format: 'json', bytes: utf8('{"a":1') } });
    expect(await codeOf(1)).toBe('invalid_json');
    command({ ...publish, id: 2, payload: { format: 'json', bytes: Uint8Array.of(0x22, 0xff, 0x22) } });
    expect(await codeOf(2)).toBe('invalid_json');
    command({ ...publish, id: 3, payload: { format: 'binary', bytes: Uint8Array.of(0xff) } });
    expect(await codeOf(3)).toBe('published');
  });
});

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
    const { command, codeOf } = await client();
    command({ kind: 'subscribe', id: 1, subscriptions: [] });
    expect(await codeOf(1)).toBe('invalid_request');
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
    expect([...session.views.values()].map(({ target, automatic }) => [target, automatic])).toEqual([
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
    const { subscribe, fanout, session, command, connection, settle, faults } = await client(codecs.protobuf);
    const attach = fanout.attach.bind(fanout);
    fanout.attach = (options, payer) => {
      if (options.target === 'b') throw new TypeError('a fault');
      return attach(options, payer);
    };
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
    const attach = fanout.attach.bind(fanout);
    fanout.attach = (options, payer) => {
      if (options.target === 'user:alice') throw new SluiceError('too_many_views');
      return attach(options, payer);
    };
    const { connection } = connect(user('alice'));
    await settle();
    sessions.sweep();
    await settle();
    expect(connection.of('subscribed')).toMatchObject([
      { results: [{ topic: '$all' }, { topic: 'user:alice', error: { code: 'too_many_views' } }] },
    ]);
    fanout.attach = attach;
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
    const attach = fanout.attach.bind(fanout);
    fanout.attach = (options, payer) => {
      if (options.target === '$presence/a') throw new SluiceError('too_many_views');
      return attach(options, payer);
    };
    expect(await subscribe(1, { topic: 'a', presence: true })).toMatchObject([
      { error: { code: 'too_many_views' } },
    ]);
    expect([session.views.size, presence.count('a'), fanout.viewCount]).toEqual([1, 0, 1]);
  });

  test('a client that watches presence is told which sessions join and leave', async () => {
    const { subscribe, connect, connection, turns, sessions } = await client(
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

describe('the order of commands', () => {
  test('what changes the session waits for what came before; a ping does not', async () => {
    const { tokens, command, connection, settle } = await client();
    let verify: (result: TokenResult) => void = () => undefined;
    tokens.set('slow', new Promise((resolve) => (verify = resolve)));
    command({ kind: 'connect', id: 1, token: 'slow' });
    command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'closed:1' }] });
    command({ kind: 'status', id: 3 });
    command({ kind: 'ping', id: 4 });
    await settle();
    expect(connection.frames().map(({ id }) => id)).toEqual([4]);
    verify(verified(user('alice', granted)));
    await settle();
    expect(connection.frames().flatMap(({ id }) => (id === 0 ? [] : [id]))).toEqual([4, 1, 2, 3]);
    expect(connection.replies(2)).toMatchObject([
      { results: [{ topic: 'closed:1', view: expect.any(Number) }] },
    ]);
  });

  test('a publish after a subscribe that waits reaches it', async () => {
    const { command, connection, settle } = await client(codecs.protobuf, { turnBudgetMs: 0 });
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }] });
    command({ kind: 'publish', id: 2, ...publishOf({ topic: 'a', type: 'update', payload: json('mine') }) });
    await settle();
    expect(connection.frames().flatMap(({ id }) => (id === 0 ? [] : [id]))).toEqual([1, 2]);
    expect(connection.replies(1)).toMatchObject([{ results: [{ topic: 'a', offset: 0 }] }]);
    expect(connection.of('batch')).toMatchObject([
      { after: 0, upto: 1, publications: [{ payload: json('mine') }] },
    ]);
  });

  test('commands that only read wait for those before them too', async () => {
    const { tokens, command, connection, settle, publish } = await client();
    await publish('closed:1');
    let verify: (result: TokenResult) => void = () => undefined;
    tokens.set('slow', new Promise((resolve) => (verify = resolve)));
    command({ kind: 'connect', id: 1, token: 'slow' });
    command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'a' }] });
    command({ kind: 'presence', id: 3, topic: 'a' });
    command({ kind: 'history', id: 4, topic: 'closed:1' });
    await settle();
    expect(connection.messages).toEqual([]);
    verify(verified(user('alice', { ...granted, scopes: ['read'] })));
    await settle();
    expect(connection.replies(3)).toMatchObject([{ kind: 'presence', count: 1 }]);
    expect(connection.replies(4)).toMatchObject([{ kind: 'history', publications: [{ offset: 1 }] }]);
  });

  test('what changes the session does not wait until a publish before it is committed', async () => {
    const engine = new WaitingEngine({ isState: () => false });
    const { tokens, command, connection, settle } = await client(codecs.json, { broker: { engine } });
    let verify: (result: TokenResult) => void = () => undefined;
    tokens.set('slow', new Promise((resolve) => (verify = resolve)));
    command({ kind: 'connect', id: 1, token: 'slow' });
    command({ kind: 'publish', id: 2, ...publishOf({ topic: 'a', type: 'update', payload: json(1) }) });
    command({ kind: 'subscribe', id: 3, subscriptions: [{ topic: 'b' }] });
    verify(verified(user('alice')));
    const answered = () => connection.frames().flatMap(({ id }) => (id === 0 ? [] : [id]));
    await settle();
    expect(answered()).toEqual([1, 3]);
    await engine.commit();
    expect(answered()).toEqual([1, 3, 2]);
  });

  test('a publish that waits keeps its payload though the message’s bytes die', async () => {
    const { session, sessions, command, settle, broker } = await client(codecs.protobuf, { turnBudgetMs: 0 });
    const publish = {
      kind: 'publish',
      id: 2,
      ...publishOf({ topic: 'a', type: 'update', payload: json('keep me') }),
    } as const;
    const message = codecs.protobuf.encodeClientFrame(publish).slice();
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }] });
    sessions.receive(session, message, true);
    message.fill(0);
    await settle();
    expect(topicOf(broker, 'a').ring.slice(0)[0]?.payload).toEqual(json('keep me'));
  });

  test('a publish that waits is done though its session ends: it came before', async () => {
    const { session, sessions, command, settle, broker } = await client(codecs.protobuf, { turnBudgetMs: 0 });
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }] });
    command({ kind: 'publish', id: 2, ...publishOf({ topic: 'a', type: 'update', payload: json(1) }) });
    sessions.close(session);
    await settle();
    expect(topicOf(broker, 'a').ring.newest).toBe(1);
  });

  test('a command that waited and those after it reply in one write', async () => {
    const { tokens, command, connection, settle } = await client();
    tokens.set('good', Promise.resolve(verified(user('alice', granted))));
    command({ kind: 'connect', id: 1, token: 'good' });
    command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'closed:1' }] });
    await settle();
    expect(connection.writes).toEqual([connection.messages]);
    expect(connection.frames().map(({ kind, id }) => [kind, id])).toEqual([
      ['subscribed', 0],
      ['connected', 1],
      ['subscribed', 2],
    ]);
  });

  test('a command that has nothing to wait for is answered at once, also when the one before it waited', async () => {
    const { tokens, command, connection, settle } = await client();
    tokens.set('good', Promise.resolve(verified(user('alice', granted))));
    command({ kind: 'connect', id: 1, token: 'good' });
    await settle();
    command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'closed:1' }] });
    expect(connection.replies(2)).toHaveLength(1);
  });

  test('a command that failed does not hold up the next ones', async () => {
    const { command, codeOf } = await client();
    command({ kind: 'connect', id: 1, token: 'bad' });
    command({ kind: 'status', id: 2 });
    expect([await codeOf(1), await codeOf(2)]).toEqual(['unauthorized', 'status']);
  });

  test('what is still waiting when the session ends is not begun: no view, no place is kept', async () => {
    const { tokens, command, settle, sessions, session, fanout, connectionLimits, connection } = await client(
      codecs.protobuf,
      { connectionsMaxPerUser: 1 },
    );
    let verify: (result: TokenResult) => void = () => undefined;
    tokens.set('slow', new Promise((resolve) => (verify = resolve)));
    command({ kind: 'connect', id: 1, token: 'slow' });
    command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'a' }] });
    await settle();
    sessions.close(session);
    verify(verified(user('alice')));
    await settle();
    expect([
      fanout.viewCount,
      connectionLimits.problem({ addressKey: 'other', user: 'alice' }),
      connection.messages,
    ]).toEqual([0, undefined, []]);
  });
});

describe('tokens', () => {
  const refused: TokenResult = { ok: false, code: 'token_expired', message: 'the token has expired' };
  const alice = user('alice', { expiresAtMs: 2_000_000 });

  test('that are known are answered for at once', async () => {
    const { tokens, command, connection, session } = await client();
    tokens.set('known', verified(alice));
    command({ kind: 'connect', id: 1, token: 'known' });
    expect(connection.frames()).toMatchObject([
      { kind: 'subscribed', id: 0, results: [{ topic: 'user:alice' }] },
      { kind: 'connected', id: 1, user: 'alice', expiresMs: 2_000_000 },
    ]);
    tokens.set('newer', verified({ ...alice, expiresAtMs: 5_000_000 }));
    command({ kind: 'refresh', id: 2, token: 'newer' });
    expect(connection.replies(2)).toMatchObject([{ kind: 'refreshed', expiresMs: 5_000_000 }]);
    expect(session.identity).toEqual({ ...alice, expiresAtMs: 5_000_000 });
  });

  test('that are refused at once leave the session as it was', async () => {
    const { tokens, command, connection, session, faults } = await client(codecs.protobuf, {}, alice);
    tokens.set('old', refused);
    tokens.set('of bob', verified(user('bob')));
    command({ kind: 'connect', id: 1, token: 'old' });
    command({ kind: 'refresh', id: 2, token: 'old' });
    command({ kind: 'refresh', id: 3, token: 'of bob' });
    expect(connection.frames()).toMatchObject([
      { kind: 'error', id: 1, code: 'token_expired' },
      { kind: 'error', id: 2, code: 'token_expired' },
      { kind: 'error', id: 3, code: 'forbidden' },
    ]);
    expect([session.identity, faults]).toEqual([alice, []]);
  });

  test.each<[string, (result: TokenResult) => TokenResult | Promise<TokenResult>]>([
    ['known', (result) => result],
    ['yet to be verified', (result) => Promise.resolve(result)],
  ])('that are %s are answered for once each, in order, when their turn comes', async (_, known) => {
    const { tokens, command, connection, session, settle, faults } = await client(codecs.protobuf, {
      turnBudgetMs: 0,
    });
    tokens.set('old', known(refused));
    tokens.set('good', known(verified(alice)));
    tokens.set('of bob', known(verified(user('bob'))));
    tokens.set('newer', known(verified({ ...alice, expiresAtMs: 5_000_000 })));
    command({ kind: 'refresh', id: 1, token: 'old' });
    command({ kind: 'connect', id: 2, token: 'good' });
    command({ kind: 'refresh', id: 3, token: 'of bob' });
    command({ kind: 'refresh', id: 4, token: 'newer' });
    command({ kind: 'status', id: 5 });
    expect(connection.messages).toEqual([]);
    await settle();
    const replies = connection.frames().filter(({ id }) => id !== 0);
    expect(replies).toMatchObject([
      { kind: 'error', id: 1, code: 'token_expired' },
      { kind: 'connected', id: 2, user: 'alice' },
      { kind: 'error', id: 3, code: 'forbidden' },
      { kind: 'refreshed', id: 4, expiresMs: 5_000_000 },
      { kind: 'status', id: 5, user: 'alice' },
    ]);
    expect([session.identity.expiresAtMs, faults]).toEqual([5_000_000, []]);
  });
});

describe('users', () => {
  test('the cap of sessions per user holds for tokens that come by connect', async () => {
    const { connect, tokens, settle, connectionLimits, sessions } = await makeGateway({
      connectionsMaxPerUser: 1,
    });
    tokens.set('alice', verified(user('alice')));
    const [first, second] = [connect(), connect()];
    first.command({ kind: 'connect', id: 1, token: 'alice' });
    await settle();
    second.command({ kind: 'connect', id: 1, token: 'alice' });
    await settle();
    expect(second.connection.replies(1)).toMatchObject([
      { kind: 'error', code: 'too_many_connections_of_user' },
    ]);
    expect(second.session.identity.user).toBeUndefined();
    sessions.close(first.session);
    expect(connectionLimits.problem({ addressKey: 'other', user: 'alice' })).toBeUndefined();
  });

  test('a session that becomes another user gives the first one’s place back, and leaves its topic', async () => {
    const { connect, tokens, settle, connectionLimits, publish, session, connection, sessions } =
      await (async () => {
        const gateway = await makeGateway({ connectionsMaxPerUser: 1 });
        return { ...gateway, ...gateway.connect(user('alice')) };
      })();
    tokens.set('bob', verified(user('bob')));
    sessions.receive(
      session,
      codecs.protobuf.encodeClientFrame({ kind: 'connect', id: 1, token: 'bob' }),
      true,
    );
    await settle();
    expect([
      connectionLimits.problem({ addressKey: 'other', user: 'alice' }),
      connectionLimits.problem({ addressKey: 'other', user: 'bob' })?.code,
    ]).toEqual([undefined, 'too_many_connections_of_user']);
    expect([...session.views.values()].map(({ target }) => target)).toEqual(['$all', 'user:bob']);
    connection.forget();
    await publish('user:alice', {});
    await settle();
    expect(connection.messages).toEqual([]);
    connect(user('alice'));
    sessions.close(session);
    expect(connectionLimits.problem({ addressKey: 'other', user: 'bob' })).toBeUndefined();
  });

  test('a client is told half a minute before its token expires, once for each token', async () => {
    const expiresAtMs = 1_100_000;
    const { sessions, session, connection, turns, tokens, command, settle } = await client(
      codecs.protobuf,
      {},
      user('alice', { expiresAtMs }),
    );
    const warnings = () => connection.of('tokenExpiring').map(({ expiresMs }) => expiresMs);
    turns.advance(69_999);
    sessions.sweep();
    expect(warnings()).toEqual([]);
    turns.advance(1);
    sessions.sweep();
    turns.advance(1000);
    sessions.sweep();
    expect(warnings()).toEqual([expiresAtMs]);
    tokens.set('newer', verified(user('alice', { expiresAtMs: 1_200_000 })));
    command({ kind: 'refresh', id: 1, token: 'newer' });
    await settle();
    sessions.sweep();
    expect(warnings()).toEqual([expiresAtMs]);
    turns.advance(100_000);
    sessions.sweep();
    expect(warnings()).toEqual([expiresAtMs, 1_200_000]);
    expect(session.closed).toBe(false);
  });

  test('a session whose token has expired is ended, and not before', async () => {
    const { sessions, connection, turns } = await client(
      codecs.protobuf,
      {},
      user('alice', { expiresAtMs: 1_000_500 }),
    );
    turns.advance(499);
    sessions.sweep();
    expect(connection.endedWith).toBeUndefined();
    turns.advance(1);
    sessions.sweep();
    expect(connection.endedWith).toBe('unauthorized');
    expect(connection.of('goingAway')).toMatchObject([{ reason: 'unauthorized' }]);
  });
});

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
    const { command, connection, faults, broker, settle } = await client();
    const secret = new Error('the password is 1234');
    broker.history = () => Promise.reject(secret);
    command({ kind: 'history', id: 1, topic: 'a' });
    await settle();
    expect(connection.replies(1)).toMatchObject([{ kind: 'error', code: 'internal' }]);
    expect(JSON.stringify(connection.frames())).not.toContain('1234');
    expect(faults).toEqual([secret]);
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
