import { describe, expect, test } from 'vitest';
import { ConnectionLimits, type ConnectionLimitsOptions } from '../../src/sessions/connection-limits.ts';

function makeAdmission(limits: Partial<ConnectionLimitsOptions> = {}) {
  const clock = { nowMs: 0 };
  const connectionLimits = new ConnectionLimits(
    {
      maxConnections: 100,
      maxConnectionsPerIp: 100,
      maxUnauthenticatedPerIp: 100,
      maxConnectionsPerUser: 100,
      handshakesPerSecondPerIp: 100,
      ...limits,
    },
    () => clock.nowMs,
  );
  return { connectionLimits, clock };
}

describe('connectionLimits', () => {
  test('there is a place below the cap of all connections, and none at it', () => {
    const { connectionLimits } = makeAdmission({ maxConnections: 2 });
    connectionLimits.enter('a');
    expect(connectionLimits.placeProblem('b')).toBeUndefined();
    connectionLimits.enter('b');
    expect(connectionLimits.placeProblem('c')).toMatchObject({
      code: 'too_many_connections',
      retryAfterMs: 5000,
    });
    expect(connectionLimits.total).toBe(2);
    connectionLimits.leave('a');
    expect([connectionLimits.placeProblem('c'), connectionLimits.total]).toEqual([undefined, 1]);
  });

  test('the cap per address is one address’s own affair', () => {
    const { connectionLimits } = makeAdmission({ maxConnectionsPerIp: 2 });
    connectionLimits.enter('a');
    expect(connectionLimits.placeProblem('a')).toBeUndefined();
    connectionLimits.enter('a');
    expect(connectionLimits.placeProblem('a')?.code).toBe('too_many_connections_from_ip');
    expect(connectionLimits.placeProblem('b')).toBeUndefined();
    connectionLimits.leave('a');
    expect(connectionLimits.placeProblem('a')).toBeUndefined();
  });

  test('the cap per user is one user’s own affair', () => {
    const { connectionLimits } = makeAdmission({ maxConnectionsPerUser: 2 });
    connectionLimits.enterAs('u');
    expect(connectionLimits.userProblem('u')).toBeUndefined();
    connectionLimits.enterAs('u');
    expect(connectionLimits.userProblem('u')?.code).toBe('too_many_connections_of_user');
    expect(connectionLimits.userProblem('v')).toBeUndefined();
    connectionLimits.leaveAs('u');
    expect(connectionLimits.userProblem('u')).toBeUndefined();
  });

  test('looking takes no place', () => {
    const { connectionLimits } = makeAdmission({ maxConnections: 1 });
    for (let i = 0; i < 3; i++) expect(connectionLimits.problem('a')).toBeUndefined();
    expect(connectionLimits.total).toBe(0);
  });

  test('handshakes of one address come out of its bucket, refused ones too', () => {
    const { connectionLimits, clock } = makeAdmission({
      handshakesPerSecondPerIp: 2,
      maxConnectionsPerIp: 2,
    });
    connectionLimits.enter('a');
    connectionLimits.enter('a');
    expect(connectionLimits.problem('a')?.code).toBe('too_many_connections_from_ip');
    expect(connectionLimits.problem('a')?.code).toBe('too_many_connections_from_ip');
    expect(connectionLimits.problem('a')).toMatchObject({ code: 'rate_limited', retryAfterMs: 500 });
    expect(connectionLimits.problem('b')).toBeUndefined();
    clock.nowMs += 500;
    expect(connectionLimits.problem('a')?.code).toBe('too_many_connections_from_ip');
  });

  test('the outlook says what a handshake would be told, and takes none', () => {
    const { connectionLimits, clock } = makeAdmission({
      handshakesPerSecondPerIp: 3,
      maxConnectionsPerIp: 1,
    });
    const outlooks = () => Array.from({ length: 5 }, () => connectionLimits.outlook('a')?.code);
    const all = (code?: string) => Array.from({ length: 5 }, () => code);
    for (let taken = 0; taken < 3; taken++) {
      expect(outlooks()).toEqual(all());
      expect(connectionLimits.problem('a')).toBeUndefined();
    }
    expect(outlooks()).toEqual(all('rate_limited'));
    expect(connectionLimits.outlook('a')).toMatchObject({ retryAfterMs: 334 });
    clock.nowMs += 333;
    expect(outlooks()).toEqual(all('rate_limited'));
    clock.nowMs += 1;
    expect(outlooks()).toEqual(all());
    expect(connectionLimits.problem('a')).toBeUndefined();
    expect(outlooks()).toEqual(all('rate_limited'));
  });

  test('the outlook knows of full places, and of addresses that never came', () => {
    const { connectionLimits } = makeAdmission({ maxConnections: 2, maxConnectionsPerIp: 1 });
    connectionLimits.enter('a');
    expect([connectionLimits.outlook('a')?.code, connectionLimits.outlook('b')]).toEqual([
      'too_many_connections_from_ip',
      undefined,
    ]);
    connectionLimits.enter('b');
    expect(connectionLimits.outlook('c')?.code).toBe('too_many_connections');
  });

  test('all connections of an address may come back in one burst', () => {
    const { connectionLimits } = makeAdmission({ handshakesPerSecondPerIp: 1, maxConnectionsPerIp: 50 });
    for (let i = 0; i < 50; i++) expect(connectionLimits.problem('a')).toBeUndefined();
    expect(connectionLimits.problem('a')?.code).toBe('rate_limited');
  });

  test('an address is not forgotten, and so forgiven, before its bucket is full', () => {
    const { connectionLimits, clock } = makeAdmission({
      handshakesPerSecondPerIp: 1,
      maxConnectionsPerIp: 1,
    });
    connectionLimits.problem('a');
    clock.nowMs += 999;
    connectionLimits.sweep();
    expect(connectionLimits.problem('a')?.code).toBe('rate_limited');
    clock.nowMs += 1;
    connectionLimits.sweep();
    expect(connectionLimits.problem('a')).toBeUndefined();
  });

  test('connections that have not authenticated have a cap of their own, and give way to the other one', () => {
    const { connectionLimits } = makeAdmission({ maxUnauthenticatedPerIp: 2, maxConnectionsPerIp: 1 });
    connectionLimits.enter('a', true);
    expect(connectionLimits.placeProblem('a', true)).toBeUndefined();
    connectionLimits.enter('a', true);
    expect(connectionLimits.placeProblem('a', true)).toMatchObject({
      code: 'too_many_connections_from_ip',
      message: expect.stringContaining('not authenticated'),
    });
    expect([connectionLimits.problem('a', true)?.code, connectionLimits.outlook('a', true)?.code]).toEqual([
      'too_many_connections_from_ip',
      'too_many_connections_from_ip',
    ]);
    expect([connectionLimits.placeProblem('b', true), connectionLimits.placeProblem('a')]).toEqual([
      undefined,
      undefined,
    ]);
    expect(connectionLimits.authenticate('a')).toBeUndefined();
    expect(connectionLimits.placeProblem('a', true)).toBeUndefined();
    expect(connectionLimits.authenticate('a')?.code).toBe('too_many_connections_from_ip');
    expect(connectionLimits.total).toBe(2);
    connectionLimits.leave('a');
    expect(connectionLimits.authenticate('a')).toBeUndefined();
  });

  test('they count among all connections', () => {
    const { connectionLimits } = makeAdmission({ maxConnections: 1 });
    connectionLimits.enter('a', true);
    expect(connectionLimits.placeProblem('b')?.code).toBe('too_many_connections');
  });

  test('nothing is remembered of addresses that are gone and whose bucket is full', () => {
    const { connectionLimits, clock } = makeAdmission({
      handshakesPerSecondPerIp: 1,
      maxConnectionsPerIp: 1,
    });
    for (let i = 0; i < 1000; i++) {
      const address = `192.0.2.${i}`;
      connectionLimits.problem(address);
      connectionLimits.enter(address, i % 2 === 0);
      connectionLimits.enterAs(address);
    }
    expect(connectionLimits.remembered).toBe(3000);
    for (let i = 0; i < 1000; i++) {
      connectionLimits.leave(`192.0.2.${i}`, i % 2 === 0);
      connectionLimits.leaveAs(`192.0.2.${i}`);
    }
    expect(connectionLimits.remembered).toBe(1000);
    clock.nowMs += 999;
    connectionLimits.sweep();
    expect(connectionLimits.remembered).toBe(1000);
    clock.nowMs += 1;
    connectionLimits.sweep();
    expect(connectionLimits.remembered).toBe(0);
  });
});
