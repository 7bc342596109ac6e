import { expect, test } from 'vitest';
import { SluiceError } from '../../../src/errors.ts';
import type { Holder, TakenSeat } from '../../../src/sessions/admission/connection-caps.ts';
import { SharedCaps } from '../../../src/sessions/admission/shared-caps.ts';
import { wideLimits } from '../../support/wide-limits.ts';

const holder: Holder = { addressKey: 'a', user: 'u' };

/** `known`: what other nodes had at the last heartbeat, by key; `now`: what they have. */
function makeCaps(known: Record<string, number>, now = known, formers: readonly string[] = []) {
  let others = known;
  const told: (readonly [string, number, number])[] = [];
  const counts = {
    set: (...said: readonly [string, number, number]) => void told.push(said),
    elsewhere: (key: string) => others[key] ?? 0,
    refresh: async () => {
      others = now;
    },
  };
  const caps = new SharedCaps({
    limits: { ...wideLimits, connectionsMax: 2, connectionsMaxPerUser: 3 },
    counts,
    replace: async (session) => formers.includes(session),
  });
  const take = async (who = holder, former?: string) => {
    const seat = await caps.take(who, former);
    return seat instanceof SluiceError ? seat.code : (seat as TakenSeat);
  };
  return { caps, take, told };
}

test('the caps hold for all nodes together, and each is told what this one has', async () => {
  const { take, caps, told } = makeCaps({ 'user u': 2 });
  const seat = (await take()) as TakenSeat;
  expect(await take()).toBe('too_many_connections_of_user');
  expect(caps.problem(holder)?.code).toBe('too_many_connections_of_user');
  expect(await take({ addressKey: 'a', user: 'v' })).toBeInstanceOf(Object);
  seat.leave();
  expect(told).toEqual([
    ['ip a', 1, wideLimits.connectionsMaxPerIp],
    ['user u', 1, 3],
    ['ip a', 2, wideLimits.connectionsMaxPerIp],
    ['user v', 1, 3],
    ['ip a', 1, wideLimits.connectionsMaxPerIp],
    ['user u', 0, 3],
  ]);
});

test('the cap of all connections is of one node', async () => {
  const { take } = makeCaps({});
  await take();
  await take();
  expect(await take()).toBe('too_many_connections');
});

test('a client is not refused for what others no longer have', async () => {
  expect(await makeCaps({ 'user u': 3 }, { 'user u': 2 }).take()).toBeInstanceOf(Object);
  expect(await makeCaps({ 'user u': 3 }).take()).toBe('too_many_connections_of_user');
});

test('a client that goes on here takes the place of its former session, if another node has it', async () => {
  const { take } = makeCaps({ 'user u': 3 }, undefined, ['former']);
  expect(await take(holder, 'unknown')).toBe('too_many_connections_of_user');
  expect(await take(holder, 'former')).toBeInstanceOf(Object);
});
