import { describe, expect, test } from 'vitest';
import { ofFile, opened } from '../support/opened.ts';
import { apiKey } from '../support/tokens.ts';
import { NotificationBell } from '../systems/clients/notifications.ts';
import { startSystems } from '../systems/gateway.ts';

const gateway = ofFile(() => startSystems({ compat: ['d'], connectionsMaxPerUser: 3 }));

async function open(user: string, ...rooms: readonly string[]): Promise<NotificationBell> {
  const may = rooms.map((room) => ({ pattern: `room:${room}`, allow: ['subscribe'] }) as const);
  return opened(NotificationBell.open(gateway.socketBase, user, await gateway.token(user, ...may)));
}

describe('the clients of the knowledge platform', () => {
  test('of one user all get what is for that user', async () => {
    const devices = [await open('ada@example.org'), await open('ada@example.org')];
    const other = await open('bob');
    const path = '/api/v1/ws/notify/ada%40example.org';
    expect(await gateway.send('POST', path, { data: { title: 'Hello' } })).toMatchObject({ recipients: 2 });
    for (const device of devices) {
      expect(await device.message('notification')).toEqual({
        type: 'notification',
        data: { title: 'Hello' },
        timestamp: expect.stringMatching(/Z$/),
        user_id: 'ada@example.org',
      });
      expect(device.unread).toBe(1);
    }
    await other.ask({ type: 'ping' }, 'pong');
    expect(other.unread).toBe(0);
  });

  test('get changes on their other devices only, where the backend names one', async () => {
    const [one, two] = [await open('sync'), await open('sync')];
    const listed = await gateway.read<{ connections: string[] }>('/api/v1/ws/connections/sync');
    expect(listed).toMatchObject({ user_id: 'sync', is_online: true, connection_count: 2 });
    const [except] = listed.connections;
    await gateway.send('POST', '/api/v1/ws/sync-update/sync', { data: { note: 1 }, except });
    await gateway.send('POST', '/api/v1/ws/notify/sync', { data: {} });
    await Promise.all([one.message('notification'), two.message('notification')]);
    expect([one, two].flatMap((each) => each.publications('sync_update'))).toMatchObject([
      { data: { note: 1 } },
    ]);
  });

  test('get a notification whole, whatever its backend has beside `data`', async () => {
    const bell = await open('whole');
    const notify = (body: object) => gateway.send('POST', '/api/v1/ws/notify/whole', body);
    await notify({ title: 'Hello', message: 'there', data: { url: '/x' } });
    await notify({ title: 'Hello', message: 'there', data: null });
    await notify({ type: 'comment', title: 'Hello' });
    await notify({ type: 'comment', data: { title: 'Hello' } });
    await gateway.send('POST', '/api/v1/notifications/demo', { user_id: 'whole', data: { title: 'Hello' } });
    await bell.until(() => bell.frames.length >= 5);
    expect(bell.frames.map(({ type, data }) => [type, data])).toMatchObject([
      ['notification', { title: 'Hello', message: 'there', url: '/x' }],
      ['notification', { title: 'Hello', message: 'there' }],
      ['notification', { type: 'comment', title: 'Hello' }],
      ['comment', { title: 'Hello' }],
      ['notification', { title: 'Hello', message: expect.any(String) }],
    ]);
  });

  test('are counted where they get a message: not the device that is left out, nor only the first hundred', async () => {
    const many = await startSystems({ compat: ['d'], connectionsMaxPerUser: 101, connectionsMaxPerIp: 101 });
    const path = `ws://127.0.0.1:${many.port}/api/v1/ws/many?token=${await many.token('many')}`;
    const devices = await Promise.all(Array.from({ length: 101 }, () => new NotificationBell(path).opened()));
    const listed = await many.read<{ connections: string[] }>('/api/v1/ws/connections/many');
    expect(listed).toMatchObject({ connection_count: 101, is_online: true });
    const [except] = listed.connections;
    const body = { data: {}, except };
    expect(await many.send('POST', '/api/v1/ws/sync-update/many', body)).toMatchObject({ recipients: 100 });
    for (const device of devices) device.socket.terminate();
    await many.close();
  });

  test('get what is for some of them, by any usual name of these, and no others do', async () => {
    const [some, other] = [await open('some', 'some-room'), await open('other')];
    await some.enter('some-room');
    const receivers = [
      ...[{ user_ids: 'some' }, { users: ['some'] }, { user_id: 'some' }, { userIds: ['some'] }],
      ...[{ room_id: 'some-room' }, { rooms: ['some-room'] }, { roomIds: ['some-room'] }],
    ];
    for (const receiver of receivers) {
      const sent = await gateway.send('POST', '/api/v1/ws/broadcast', { ...receiver, data: { n: 1 } });
      expect([receiver, sent]).toMatchObject([receiver, { recipients: 1 }]);
    }
    await some.until(() => some.publications('system_message').length >= receivers.length);
    await other.ask({ type: 'ping' }, 'pong');
    expect(other.publications('system_message')).toEqual([]);
    expect(some.publications('system_message').map(({ data }) => data)).toEqual(
      receivers.map(() => ({ n: 1 })),
    );
  });

  test('enter and leave rooms, and hear what is said there', async () => {
    const member = await open('carl', 'content-7');
    const stranger = await open('dora');
    await member.enter('content-7');
    stranger.send({ type: 'room_subscribe', room: 'content-7' });
    expect(await stranger.message('error')).toMatchObject({ data: { code: 'forbidden' }, user_id: 'dora' });
    const say = (text: string) =>
      gateway.send('POST', '/api/v1/ws/broadcast', {
        room: 'content-7',
        type: 'sync_update',
        data: { text },
      });
    await say('in');
    expect(await member.message('sync_update')).toMatchObject({ room: 'content-7', data: { text: 'in' } });
    await member.leave('content-7');
    await member.leave('content-7');
    await say('out');
    await member.ask({ type: 'ping' }, 'pong');
    expect(member.publications('sync_update')).toHaveLength(1);
    expect([...stranger.publications('sync_update'), ...member.publications('error')]).toEqual([]);
  });

  test('get system messages that are for all, or for some of them', async () => {
    const [eva, finn] = [await open('eva'), await open('finn')];
    const native = await gateway.open('eva');
    await gateway.send('POST', '/api/v1/ws/broadcast', { user_ids: ['eva'], data: { to: 'some' } });
    await gateway.send('POST', '/api/v1/ws/broadcast', { message: 'to all' });
    for (const each of [eva, finn])
      await each.message('system_message', ({ data }) => (data as { message?: string }).message === 'to all');
    expect(finn.publications('system_message')).toHaveLength(1);
    expect(eva.publications('system_message')).toHaveLength(2);
    await native.call({ type: 'ping' });
    // Not one of the system's clients: it has what is for its user, and no broadcast of the system.
    expect(native.frames.filter(({ type }) => type === 'system_message')).toHaveLength(1);
  });

  test('get a system message once, though its backend names a user twice, or by a number', async () => {
    const bell = await open('77');
    const some = { user_ids: ['77', 77], data: {} };
    expect(await gateway.send('POST', '/api/v1/ws/broadcast', some)).toMatchObject({ topics: ['user:77'] });
    await bell.ask({ type: 'ping' }, 'pong');
    expect(bell.publications('system_message')).toHaveLength(1);
    for (const wrong of [
      { user_ids: [] },
      { user_ids: [null] },
      { users: 5.5 },
      { user_ids: ['77'], room: 'r' },
    ])
      await expect(gateway.send('POST', '/api/v1/ws/broadcast', wrong)).rejects.toThrow('400');
  });

  test('of as many rooms as a body may name get a message, unless all its copies are larger than a body may be', async () => {
    const rooms = Array.from({ length: 1000 }, (_, i) => `many-${i}`);
    const say = (length: number) =>
      gateway.send('POST', '/api/v1/ws/broadcast', { rooms, data: 'x'.repeat(length - 2) });
    const limit = Math.floor((8 * 1024 * 1024) / 1000);
    const said = await say(limit);
    expect(said).toMatchObject({ success: true });
    expect((said as { topics: string[] }).topics).toHaveLength(1000);
    await expect(say(limit + 1)).rejects.toThrow('413');
  });

  test('ask for stats, which count connections, users and rooms', async () => {
    const bell = await open('gus', 'stats-room');
    const reply = await bell.enter('stats-room');
    expect(reply).toMatchObject({ type: 'stats', user_id: 'gus', timestamp: expect.any(String) });
    expect(Object.keys(reply['data'] as object)).toEqual(['total_connections', 'total_users', 'total_rooms']);
    expect(Object.keys(await gateway.read('/api/v1/ws/stats'))).toEqual(Object.keys(reply['data'] as object));
  });

  test('connect as themselves only, with a token, and not too often', async () => {
    const path = `${gateway.socketBase}/api/v1/ws/hal`;
    expect(await new NotificationBell(path).refused()).toBe(401);
    expect(await new NotificationBell(`${path}?token=${await gateway.token('ida')}`).refused()).toBe(403);
    expect(await new NotificationBell(`${gateway.socketBase}/api/v1/ws/%ff?token=${apiKey}`).refused()).toBe(
      400,
    );
    for (let i = 0; i < 3; i++) await open('hal');
    expect(await new NotificationBell(`${path}?token=${await gateway.token('hal')}`).refused()).toBe(429);
    const backend = await opened(NotificationBell.open(gateway.socketBase, 'jo', apiKey));
    await gateway.send('POST', '/api/v1/notifications/demo', { user_id: 'jo' });
    expect(await backend.message('notification')).toMatchObject({ user_id: 'jo', data: { title: 'Demo' } });
  });

  test('are published to only with permission', async () => {
    const publish = async (path: string, body: object, credential: string) => {
      const headers = { authorization: `Bearer ${credential}`, 'content-type': 'application/json' };
      const answer = await fetch(gateway.url + path, { method: 'POST', body: JSON.stringify(body), headers });
      return answer.status;
    };
    const user = await gateway.token('kim', { pattern: 'room:own', allow: ['publish'] });
    expect(await publish('/api/v1/ws/broadcast', { room: 'own', data: 1 }, user)).toBe(200);
    expect(await publish('/api/v1/ws/broadcast', { room: 'other', data: 1 }, user)).toBe(403);
    expect(await publish('/api/v1/ws/broadcast', { data: 1 }, user)).toBe(403);
    expect(await publish('/api/v1/ws/notify/lea', { data: 1 }, user)).toBe(403);
    expect(await publish('/api/v1/notifications/demo', {}, apiKey)).toBe(400);
    expect(await publish('/api/v1/ws/broadcast', { user_ids: [] }, apiKey)).toBe(400);
    const read = (path: string, credential: string) =>
      fetch(gateway.url + path, { headers: { authorization: `Bearer ${credential}` } });
    expect((await read('/api/v1/ws/connections/kim', user)).status).toBe(200);
    expect((await read('/api/v1/ws/connections/lea', user)).status).toBe(403);
  });
});
