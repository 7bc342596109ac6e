import { describe, expect, test } from 'vitest';
import type { TokenResult } from '../../src/auth/tokens.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import { utf8 } from '../../src/protocol/utf8.ts';
import { codecs } from '../support/codecs.ts';
import { json } from '../topics/fixtures.ts';
import { client, verified } from './client.ts';
import { makeGateway, user } from './fixtures.ts';

describe('a publish', () => {
  test('of a payload that is not JSON is refused in protobuf too', async () => {
    const { codeOf } = await client();
    const publish = {
      kind: 'publish',
      ...publishOf({ topic: 'a', type: 'update', payload: json(1) }),
    } as const;
    expect(await codeOf({ ...publish, id: 1, payload: { format: 'json', bytes: utf8('{"a":1') } })).toBe(
      'invalid_json',
    );
    expect(
      await codeOf({
        ...publish,
        id: 2,
        payload: { format: 'json', bytes: Uint8Array.of(0x22, 0xff, 0x22) },
      }),
    ).toBe('invalid_json');
    expect(
      await codeOf({ ...publish, id: 3, payload: { format: 'binary', bytes: Uint8Array.of(0xff) } }),
    ).toBe('published');
  });
});

describe('tokens', () => {
  const refused: TokenResult = { ok: false, code: 'token_expired', message: 'the token has expired' };
  const alice = user('alice', { expiresAtMs: 2_000_000 });

  test('that are known are answered for at once', async () => {
    const { tokens, command, connection, session, ask } = await client();
    tokens.set('known', verified(alice));
    command({ kind: 'connect', id: 1, token: 'known' });
    expect(connection.frames()).toMatchObject([
      { kind: 'subscribed', id: 0, results: [{ topic: 'user:alice' }] },
      { kind: 'connected', id: 1, user: 'alice', expiresMs: 2_000_000 },
    ]);
    tokens.set('newer', verified({ ...alice, expiresAtMs: 5_000_000 }));
    expect(await ask({ kind: 'refresh', id: 2, token: 'newer' })).toMatchObject({
      kind: 'refreshed',
      expiresMs: 5_000_000,
    });
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
    expect(session.isClosed).toBe(false);
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
