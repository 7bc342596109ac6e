import { expect, test } from 'vitest';
import { farewell } from '../../src/sessions/farewell.ts';
import { makeGateway } from './fixtures.ts';

async function clients(count: number) {
  const gateway = await makeGateway();
  return { ...gateway, connections: Array.from({ length: count }, () => gateway.connect().connection) };
}

test('clients are told over the time that there is, and each to come back at another moment', async () => {
  const { sessions, connections } = await clients(100);
  const told: number[] = [];
  const waits: number[] = [];
  let draws = 0;
  let nowMs = 1000;
  await farewell({
    sessions,
    overMs: 250,
    reconnectSpreadMs: 2000,
    random: () => draws++ / 100,
    monotonicMs: () => nowMs,
    wait: async (ms) => {
      nowMs += ms;
      waits.push(ms);
      told.push(connections.filter(({ endedWith }) => endedWith === 'going_away').length);
    },
  });
  // 250 ms are five times 50.
  expect(waits).toEqual([50, 50, 50, 50]);
  expect(told).toEqual([20, 40, 60, 80]);
  const delays = connections.map((connection) => connection.of('goingAway')[0]?.reconnectDelayMs);
  expect(delays).toEqual(Array.from({ length: 100 }, (_, i) => i * 20));
  expect(connections.every(({ endedWith }) => endedWith === 'going_away')).toBe(true);
});

test.each([
  [10, 60_000, 0],
  [11, 60_000, 1],
  [200, 0, 0],
])('%i clients and %i ms are %i waits', async (count, overMs, waits) => {
  const { sessions } = await clients(count);
  let waited = 0;
  let nowMs = 0;
  await farewell({
    sessions,
    overMs,
    reconnectSpreadMs: 0,
    random: () => 0.5,
    monotonicMs: () => nowMs,
    wait: async (ms) => {
      nowMs += ms;
      waited++;
    },
  });
  expect(waited).toBe(waits);
});

test('a client that comes while others are told is told too, and one that was ended is not told again', async () => {
  const { sessions, connections, connect } = await clients(11);
  const late: ReturnType<typeof connect>[] = [];
  const last = [...sessions.all()].at(-1);
  await farewell({
    sessions,
    overMs: 60_000,
    reconnectSpreadMs: 1,
    random: () => 0,
    monotonicMs: () => 0,
    wait: async () => {
      last?.goAway('disconnected');
      late.push(connect());
    },
  });
  expect(late[0]?.connection.endedWith).toBe('going_away');
  expect(connections.at(-1)?.of('goingAway')).toMatchObject([{ reason: 'disconnected' }]);
});

test('a gateway that is late tells more at a time', async () => {
  const { sessions, connections } = await clients(100);
  let nowMs = 0;
  let waits = 0;
  await farewell({
    sessions,
    overMs: 1000,
    reconnectSpreadMs: 0,
    random: () => 0,
    monotonicMs: () => nowMs,
    wait: async () => {
      nowMs += 475;
      waits++;
    },
  });
  expect(waits).toBe(2);
  expect(connections.every(({ endedWith }) => endedWith === 'going_away')).toBe(true);
});
