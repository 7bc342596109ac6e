import { describe, expect, test } from 'vitest';
import { unauthenticatedIdentity } from '../../../src/auth/identity.ts';
import {
  authenticateWithinMs,
  unauthenticatedMaxBytes,
} from '../../../src/sessions/admission/unauthenticated.ts';
import { codecs } from '../../support/codecs.ts';
import { makeGateway, user } from '../fixtures.ts';

async function stranger(options: Parameters<typeof makeGateway>[0] = {}) {
  const gateway = await makeGateway(options);
  gateway.tokens.set('good', { ok: true, identity: user('alice') });
  return { ...gateway, ...gateway.connect(unauthenticatedIdentity) };
}

describe('a session that has not authenticated', () => {
  test.each([
    [authenticateWithinMs - 1, undefined],
    [authenticateWithinMs, 'unauthorized'],
    [authenticateWithinMs + 1, 'unauthorized'],
  ])('after %i ms is ended with: %s', async (passedMs, code) => {
    const { sessions, turns, connection, command } = await stranger();
    turns.advance(passedMs - 1);
    command({ kind: 'ping', id: 1 });
    turns.advance(1);
    sessions.sweep();
    expect(connection.endedWith).toBe(code);
  });

  test('is no longer held to the time once it has authenticated', async () => {
    const { sessions, turns, connection, command, settle } = await stranger();
    command({ kind: 'connect', id: 1, token: 'good' });
    await settle();
    turns.advance(authenticateWithinMs);
    sessions.sweep();
    expect(connection.endedWith).toBeUndefined();
  });

  test('each has its own time', async () => {
    const { sessions, turns, connect, connection } = await stranger();
    turns.advance(authenticateWithinMs - 1);
    const { connection: later } = connect(unauthenticatedIdentity);
    turns.advance(1);
    sessions.sweep();
    expect([connection.endedWith, later.endedWith]).toEqual(['unauthorized', undefined]);
  });

  const ping = codecs.json.encodeClientFrame({ kind: 'ping', id: 1 });
  test.each([
    [unauthenticatedMaxBytes - ping.length - 1, undefined],
    [unauthenticatedMaxBytes - ping.length, undefined],
    [unauthenticatedMaxBytes - ping.length + 1, 'unauthorized'],
  ])('that sent %i bytes before a ping is ended with: %s', async (bytes, code) => {
    const gateway = await makeGateway({ frameMaxBytes: 1_000_000 });
    const { session, connection } = gateway.connect(unauthenticatedIdentity, codecs.json);
    const padded = Buffer.concat([Buffer.from(ping), Buffer.alloc(bytes - ping.length, ' ')]);
    gateway.sessions.receive(session, padded, false);
    gateway.sessions.receive(session, ping, false);
    expect(connection.endedWith).toBe(code);
    expect(connection.of('pong')).toHaveLength(code === undefined ? 2 : 1);
  });

  test('is ended when it sends what is no command', async () => {
    const { sessions, session, connection } = await stranger();
    sessions.receive(session, new Uint8Array([255, 255]), true);
    expect([connection.of('error')[0]?.code, connection.endedWith]).toEqual([
      'invalid_frame',
      'unauthorized',
    ]);
  });

  test('is not answered any more once it has been ended', async () => {
    const { command, connection } = await stranger();
    command({ kind: 'status', id: 1 });
    command({ kind: 'connect', id: 2, token: 'good' });
    command({ kind: 'ping', id: 3 });
    expect(connection.frames().map(({ id }) => id)).toEqual([0, 1, 0]);
  });

  test('may try again when there was no place for its user', async () => {
    const { connect, command, connection, settle, sessions, session, counts } = await stranger({
      connectionsMaxPerUser: 1,
    });
    const other = connect(user('alice'));
    command({ kind: 'connect', id: 1, token: 'good' });
    await settle();
    expect(connection.replies(1)).toMatchObject([{ code: 'too_many_connections_of_user', retry: true }]);
    expect([connection.endedWith, session.identity]).toEqual([undefined, unauthenticatedIdentity]);
    sessions.close(other.session);
    command({ kind: 'connect', id: 2, token: 'good' });
    await settle();
    expect(connection.replies(2)).toMatchObject([{ kind: 'connected', user: 'alice' }]);
    command({ kind: 'connect', id: 3, token: 'good' });
    expect(connection.replies(3)).toMatchObject([{ code: 'already_connected' }]);
    expect(counts.of('commandErrorsTotal', 'already_connected')).toBe(1);
  });

  test('gives back the place that it had, whichever that is', async () => {
    const { connectionLimits, command, settle, sessions, session, connect } = await stranger({
      unauthenticatedMaxPerIp: 1,
      connectionsMaxPerIp: 1,
    });
    const places = () =>
      [true, false].map(
        (unauthenticated) => connectionLimits.problem({ addressKey: '192.0.2.1', unauthenticated })?.code,
      );
    expect(places()).toEqual(['too_many_connections_from_ip', undefined]);
    command({ kind: 'connect', id: 1, token: 'good' });
    await settle();
    expect(places()).toEqual([undefined, 'too_many_connections_from_ip']);
    sessions.close(session);
    expect(places()).toEqual([undefined, undefined]);
    sessions.close(connect(unauthenticatedIdentity).session);
    expect(places()).toEqual([undefined, undefined]);
  });

  test('that leaves while its token is looked at takes no place', async () => {
    const { connectionLimits, command, settle, sessions, session, tokens, connection } = await stranger({
      unauthenticatedMaxPerIp: 1,
      connectionsMaxPerIp: 1,
      connectionsMaxPerUser: 1,
    });
    let verified: () => void = () => undefined;
    tokens.set(
      'slow',
      new Promise((resolve) => (verified = () => resolve({ ok: true, identity: user('alice') }))),
    );
    command({ kind: 'connect', id: 1, token: 'slow' });
    sessions.close(session);
    verified();
    await settle();
    const holder = { addressKey: '192.0.2.1', user: 'alice' };
    expect([
      connectionLimits.problem(holder),
      connectionLimits.problem({ ...holder, unauthenticated: true }),
      connection.joined.size,
    ]).toEqual([undefined, undefined, 0]);
  });
});
