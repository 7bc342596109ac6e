import { describe, expect, test } from 'vitest';
import { Admission, type AdmissionLimits } from '../../src/sessions/admission.ts';

function makeAdmission(limits: Partial<AdmissionLimits> = {}) {
  const clock = { nowMs: 0 };
  const admission = new Admission(
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
  return { admission, clock };
}

describe('admission', () => {
  test('there is a place below the cap of all connections, and none at it', () => {
    const { admission } = makeAdmission({ maxConnections: 2 });
    admission.enter('a');
    expect(admission.placeProblem('b')).toBeUndefined();
    admission.enter('b');
    expect(admission.placeProblem('c')).toMatchObject({ code: 'too_many_connections', retryAfterMs: 5000 });
    expect(admission.total).toBe(2);
    admission.leave('a');
    expect([admission.placeProblem('c'), admission.total]).toEqual([undefined, 1]);
  });

  test('the cap per address is one address’s own affair', () => {
    const { admission } = makeAdmission({ maxConnectionsPerIp: 2 });
    admission.enter('a');
    expect(admission.placeProblem('a')).toBeUndefined();
    admission.enter('a');
    expect(admission.placeProblem('a')?.code).toBe('too_many_connections_from_ip');
    expect(admission.placeProblem('b')).toBeUndefined();
    admission.leave('a');
    expect(admission.placeProblem('a')).toBeUndefined();
  });

  test('the cap per user is one user’s own affair', () => {
    const { admission } = makeAdmission({ maxConnectionsPerUser: 2 });
    admission.enterAs('u');
    expect(admission.userProblem('u')).toBeUndefined();
    admission.enterAs('u');
    expect(admission.userProblem('u')?.code).toBe('too_many_connections_of_user');
    expect(admission.userProblem('v')).toBeUndefined();
    admission.leaveAs('u');
    expect(admission.userProblem('u')).toBeUndefined();
  });

  test('looking takes no place', () => {
    const { admission } = makeAdmission({ maxConnections: 1 });
    for (let i = 0; i < 3; i++) expect(admission.problem('a')).toBeUndefined();
    expect(admission.total).toBe(0);
  });

  test('handshakes of one address come out of its bucket, refused ones too', () => {
    const { admission, clock } = makeAdmission({ handshakesPerSecondPerIp: 2, maxConnectionsPerIp: 2 });
    admission.enter('a');
    admission.enter('a');
    expect(admission.problem('a')?.code).toBe('too_many_connections_from_ip');
    expect(admission.problem('a')?.code).toBe('too_many_connections_from_ip');
    expect(admission.problem('a')).toMatchObject({ code: 'rate_limited', retryAfterMs: 500 });
    expect(admission.problem('b')).toBeUndefined();
    clock.nowMs += 500;
    expect(admission.problem('a')?.code).toBe('too_many_connections_from_ip');
  });

  test('the outlook says what a handshake would be told, and takes none', () => {
    const { admission, clock } = makeAdmission({ handshakesPerSecondPerIp: 3, maxConnectionsPerIp: 1 });
    const outlooks = () => Array.from({ length: 5 }, () => admission.outlook('a')?.code);
    const all = (code?: string) => Array.from({ length: 5 }, () => code);
    for (let taken = 0; taken < 3; taken++) {
      expect(outlooks()).toEqual(all());
      expect(admission.problem('a')).toBeUndefined();
    }
    expect(outlooks()).toEqual(all('rate_limited'));
    expect(admission.outlook('a')).toMatchObject({ retryAfterMs: 334 });
    clock.nowMs += 333;
    expect(outlooks()).toEqual(all('rate_limited'));
    clock.nowMs += 1;
    expect(outlooks()).toEqual(all());
    expect(admission.problem('a')).toBeUndefined();
    expect(outlooks()).toEqual(all('rate_limited'));
  });

  test('the outlook knows of full places, and of addresses that never came', () => {
    const { admission } = makeAdmission({ maxConnections: 2, maxConnectionsPerIp: 1 });
    admission.enter('a');
    expect([admission.outlook('a')?.code, admission.outlook('b')]).toEqual([
      'too_many_connections_from_ip',
      undefined,
    ]);
    admission.enter('b');
    expect(admission.outlook('c')?.code).toBe('too_many_connections');
  });

  test('all connections of an address may come back in one burst', () => {
    const { admission } = makeAdmission({ handshakesPerSecondPerIp: 1, maxConnectionsPerIp: 50 });
    for (let i = 0; i < 50; i++) expect(admission.problem('a')).toBeUndefined();
    expect(admission.problem('a')?.code).toBe('rate_limited');
  });

  test('an address is not forgotten, and so forgiven, before its bucket is full', () => {
    const { admission, clock } = makeAdmission({ handshakesPerSecondPerIp: 1, maxConnectionsPerIp: 1 });
    admission.problem('a');
    clock.nowMs += 999;
    admission.sweep();
    expect(admission.problem('a')?.code).toBe('rate_limited');
    clock.nowMs += 1;
    admission.sweep();
    expect(admission.problem('a')).toBeUndefined();
  });

  test('connections that have not authenticated have a cap of their own, and give way to the other one', () => {
    const { admission } = makeAdmission({ maxUnauthenticatedPerIp: 2, maxConnectionsPerIp: 1 });
    admission.enter('a', true);
    expect(admission.placeProblem('a', true)).toBeUndefined();
    admission.enter('a', true);
    expect(admission.placeProblem('a', true)).toMatchObject({
      code: 'too_many_connections_from_ip',
      message: expect.stringContaining('not authenticated'),
    });
    expect([admission.problem('a', true)?.code, admission.outlook('a', true)?.code]).toEqual([
      'too_many_connections_from_ip',
      'too_many_connections_from_ip',
    ]);
    expect([admission.placeProblem('b', true), admission.placeProblem('a')]).toEqual([undefined, undefined]);
    expect(admission.authenticate('a')).toBeUndefined();
    expect(admission.placeProblem('a', true)).toBeUndefined();
    expect(admission.authenticate('a')?.code).toBe('too_many_connections_from_ip');
    expect(admission.total).toBe(2);
    admission.leave('a');
    expect(admission.authenticate('a')).toBeUndefined();
  });

  test('they count among all connections', () => {
    const { admission } = makeAdmission({ maxConnections: 1 });
    admission.enter('a', true);
    expect(admission.placeProblem('b')?.code).toBe('too_many_connections');
  });

  test('nothing is remembered of addresses that are gone and whose bucket is full', () => {
    const { admission, clock } = makeAdmission({ handshakesPerSecondPerIp: 1, maxConnectionsPerIp: 1 });
    for (let i = 0; i < 1000; i++) {
      const address = `192.0.2.${i}`;
      admission.problem(address);
      admission.enter(address, i % 2 === 0);
      admission.enterAs(address);
    }
    expect(admission.remembered).toBe(3000);
    for (let i = 0; i < 1000; i++) {
      admission.leave(`192.0.2.${i}`, i % 2 === 0);
      admission.leaveAs(`192.0.2.${i}`);
    }
    expect(admission.remembered).toBe(1000);
    clock.nowMs += 999;
    admission.sweep();
    expect(admission.remembered).toBe(1000);
    clock.nowMs += 1;
    admission.sweep();
    expect(admission.remembered).toBe(0);
  });
});
