import { describe, expect, test } from 'vitest';
import { ofFile } from '../support/opened.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { clientOfTest } from '../support/sdk.ts';
import { startSystems } from './gateway.ts';

const gateway = ofFile(() => startSystems({ connectionsMaxPerUser: 3 }));

type Body = Record<string, unknown>;
const send = (path: string, body: Body = {}) => gateway.send('POST', path, body);
const sessionOf = (client: { frames: readonly Body[] }) => client.frames[0]?.['session'] as string;

/** From where a new device of the user would start: up to there some device has had everything. */
async function acknowledgedBy(user: string): Promise<number> {
  const client = await ProtobufClient.open(`${gateway.wsUrl}?token=${await gateway.token(user)}`);
  const { results } = await client.kind('subscribed');
  client.socket.terminate();
  const own = results.find(({ topic }) => topic === `user:${user}`);
  if (own === undefined || 'error' in own) throw new Error('it was not subscribed');
  return own.offset;
}

describe('D1: one user, many connections', () => {
  test('are listed by the user, and counted with users and rooms', async () => {
    const before = await gateway.read<{ users: number }>('/api/stats');
    const devices = [await gateway.open('d1'), await gateway.open('d1')];
    const member = { pattern: 'room:d1', allow: ['subscribe'] } as const;
    const other = await gateway.open('d1-other', member);
    await other.call({ type: 'room_subscribe', room: 'd1' });
    const { count, connections } = await gateway.read<{ count: number; connections: { id: string }[] }>(
      '/api/users/d1/connections',
    );
    expect(count).toBe(2);
    expect(connections.map(({ id }) => id)).toEqual(devices.map(sessionOf).sort());
    expect(await gateway.read('/api/stats')).toMatchObject({
      users: before.users + 2,
      subscriptions: { busiest: { 'room:d1': 1, 'user:d1': 2 } },
    });
  });

  test('D7: are capped per user', async () => {
    for (let i = 0; i < 3; i++) await gateway.open('d7-many');
    const token = await gateway.token('d7-many');
    const refusal = await fetch(`${gateway.url}/ws?token=${token}`);
    expect(await refusal.json()).toMatchObject({ error: { code: 'too_many_connections_of_user' } });
    await gateway.open('d7-another');
  });
});

test('D2: messages have the types that they had, and a wrong one is answered with an error', async () => {
  const client = await gateway.open('d2');
  await send('/api/users/d2/notify', { data: 1 });
  await send('/api/users/d2/sync', { data: 2, except: 'another' });
  await send('/api/broadcast', { type: 'system_message', data: 3, users: ['d2'] });
  const types = (await client.count('user:d2', 3)).map(({ type }) => type);
  expect(types).toEqual(['notification', 'sync_update', 'system_message']);
  expect(await client.call({ type: 'ping' })).toMatchObject({ type: 'pong' });
  expect(await client.call({ type: 'room_subscribe' })).toMatchObject({ type: 'error' });
});

describe('D3: who is told', () => {
  test('one user, on all devices', async () => {
    const devices = [await gateway.open('d3-one'), await gateway.open('d3-one')];
    const other = await gateway.open('d3-two');
    expect(await send('/api/users/d3-one/notify', { data: { text: 'hi' } })).toMatchObject({
      connections: 2,
    });
    for (const each of devices)
      expect(await each.count('user:d3-one', 1)).toMatchObject([{ data: { text: 'hi' } }]);
    await other.call({ type: 'ping' });
    expect(other.publications('user:d3-one')).toEqual([]);
  });

  test('a user’s other devices', async () => {
    const [here, there] = [await gateway.open('d3-sync'), await gateway.open('d3-sync')];
    await send('/api/users/d3-sync/sync', { data: 'read', except: sessionOf(here) });
    await send('/api/users/d3-sync/notify', { data: 'after' });
    expect((await there.count('user:d3-sync', 2)).map(({ data }) => data)).toEqual(['read', 'after']);
    expect((await here.count('user:d3-sync', 1)).map(({ data }) => data)).toEqual(['after']);
  });

  test('the members of a room, of changes to its content', async () => {
    const member = { pattern: 'room:content-*', allow: ['subscribe'] } as const;
    const inRoom = [await gateway.open('d3-ada', member), await gateway.open('d3-bob', member)];
    const outside = await gateway.open('d3-eve', member);
    for (const each of inRoom) await each.call({ type: 'room_subscribe', room: 'content-1' });
    await outside.call({ type: 'room_subscribe', room: 'content-2' });
    await gateway.publish({ topic: 'room:content-1', type: 'content_update', data: { version: 2 } });
    await gateway.publish({ topic: 'room:content-2', type: 'content_update', data: { version: 9 } });
    for (const each of inRoom)
      expect(await each.count('room:content-1', 1)).toMatchObject([{ data: { version: 2 } }]);
    expect(await outside.count('room:content-2', 1)).toMatchObject([{ data: { version: 9 } }]);
    expect(outside.publications('room:content-1')).toEqual([]);
  });

  test('all, or some', async () => {
    const member = { pattern: 'room:d3', allow: ['subscribe'] } as const;
    const [first, second] = [await gateway.open('d3-first'), await gateway.open('d3-second', member)];
    await second.call({ type: 'room_subscribe', room: 'd3' });
    const some = { type: 'system_message', data: 'some', users: ['d3-first'], topics: ['room:d3'] };
    expect(await send('/api/broadcast', some)).toMatchObject({
      results: [
        { user: 'd3-first', offset: 1 },
        { topic: 'room:d3', offset: 1 },
      ],
    });
    await send('/api/broadcast', { type: 'system_message', data: 'all' });
    for (const [client, topic] of [
      [first, 'user:d3-first'],
      [second, 'room:d3'],
    ] as const) {
      expect(await client.count(topic, 1)).toMatchObject([{ data: 'some' }]);
      expect((await client.count('$all', 1)).at(-1)).toMatchObject({ data: 'all' });
    }
    expect(second.publications('user:d3-first')).toEqual([]);
  });
});

describe('D6: a notification is stored, then pushed', () => {
  test('a user who is offline gets it on coming back, and each device what is live', async () => {
    expect(await send('/api/users/d6/notify', { data: 'away' })).toMatchObject({ offset: 1, connections: 0 });
    const url = `${gateway.wsUrl}?token=${await gateway.token('d6')}`;
    const heard: unknown[][] = [[], []];
    const devices = heard.map((list) => {
      const client = clientOfTest(url);
      client.subscribe('user:d6', {}, ({ data }) => void list.push(data));
      return client;
    });
    await devices[0]?.connect();
    await expect.poll(() => heard[0]).toEqual(['away']);
    await expect.poll(() => acknowledgedBy('d6')).toBe(1);
    await devices[1]?.connect();
    await send('/api/users/d6/notify', { data: 'live' });
    await expect.poll(() => heard).toEqual([['away', 'live'], ['live']]);
  });

  test('a push that fails does not fail the creation', async () => {
    const client = await gateway.open('d6-broken');
    client.socket.terminate();
    expect(await send('/api/users/d6-broken/notify', { data: 'kept' })).toMatchObject({ offset: 1 });
    const again = await gateway.open('d6-broken');
    expect(await again.count('user:d6-broken', 1)).toMatchObject([{ data: 'kept' }]);
  });
});

describe('D7: users', () => {
  test('only get what is theirs', async () => {
    const mallory = await gateway.open('d7-mallory', { pattern: '*', allow: ['subscribe'] });
    for (const topic of ['user:d7-alice', 'user:*', 'user:d7%2Dalice']) {
      const { results } = (await mallory.call({ type: 'subscribe', topic })) as { results?: unknown[] };
      expect(results).toMatchObject([{ error: { code: 'forbidden' } }]);
    }
  });

  test('show a token on connecting', async () => {
    const refusal = await fetch(`${gateway.url}/ws?token=wrong`);
    expect(await refusal.json()).toMatchObject({ error: { code: 'unauthorized' } });
  });
});
