import { describe, expect, test } from 'vitest';
import { ofFile, opened } from '../support/opened.ts';
import { apiKey } from '../support/tokens.ts';
import { OldClient, type OldMessage } from '../systems/clients/old-client.ts';
import { MonitoringPanel } from '../systems/clients/server-monitoring.ts';
import { startSystems } from '../systems/gateway.ts';

const gateway = ofFile(() => startSystems({ compat: ['a'] }));
/** One whose servers are in another namespace, which is refreshed. */
const moved = ofFile(() =>
  startSystems({ compat: ['a'], compatNamespaces: ['a=fleet'] }, { fleet: { refreshMs: 1000 } }),
);

const open = (path?: string, token = apiKey) => opened(MonitoringPanel.open(gateway.socketBase, token, path));

const update = (server: string, type: string, level: string, cpu: number) =>
  gateway.send('POST', '/api/v1/websocket/broadcast', {
    type: 'monitoring_update',
    data: { server_id: server, monitoring_type: type, alert_level: level, cpu },
  });

describe('the clients of server monitoring', () => {
  test('get what an old backend sends of the server of their path, as an object with what they filter by', async () => {
    const panel = await open('ws/monitoring/path-1');
    await panel.heartbeat();
    await update('path-2', 'cpu', 'info', 1);
    expect(await update('path-1', 'cpu', 'info', 2)).toMatchObject({ success: true, recipients: 1 });
    expect(await panel.message('monitoring_update')).toEqual({
      type: 'monitoring_update',
      server_id: 'path-1',
      monitoring_type: 'cpu',
      alert_level: 'info',
      data: { server_id: 'path-1', monitoring_type: 'cpu', alert_level: 'info', cpu: 2 },
      timestamp: expect.stringMatching(/Z$/),
    });
    expect([...panel.cpu]).toEqual([['path-1', 2]]);
  });

  test('may name what they want beside `data`, too', async () => {
    const panel = await open();
    panel.send({ type: 'subscribe', server_id: 'beside', monitoring_types: 'cpu' });
    await panel.heartbeat();
    await update('another', 'cpu', 'info', 1);
    await update('beside', 'disk', 'info', 2);
    await update('beside', 'cpu', 'info', 3);
    await panel.message('monitoring_update');
    expect([...panel.cpu]).toEqual([['beside', 3]]);
  });

  test('get what comes with `data`: what they filter by as members of the message, the rest in `data`', async () => {
    const panel = await open('ws/monitoring/envelope');
    await panel.heartbeat();
    const send = (members: object) =>
      gateway.send('POST', '/api/v1/websocket/broadcast', { server_id: 'envelope', ...members });
    const timestamp = '2026-01-02T03:04:05.678Z';
    await send({ monitoring_type: 'cpu', alert_level: 'critical', data: { cpu: 1 }, timestamp });
    await send({ type: 'status_change', from: 'up', to: 'down', data: { cause: 'fire', to: 'ashes' } });
    await send({ monitoring_type: 'battery', level: 0.5, data: null });
    await panel.until(() => panel.frames.length >= 4);
    expect(panel.frames.slice(1)).toMatchObject([
      { monitoring_type: 'cpu', alert_level: 'critical', data: { cpu: 1 }, timestamp },
      { type: 'status_change', data: { from: 'up', cause: 'fire', to: 'ashes' } },
      { monitoring_type: 'battery', data: { server_id: 'envelope', level: 0.5 } },
    ]);
  });

  test('get an update whose time is the zero of its backend’s language with that of the gateway', async () => {
    const panel = await open('ws/monitoring/zero');
    const body = { server_id: 'zero', data: { cpu: 1 }, timestamp: '0001-01-01T00:00:00Z' };
    expect(await gateway.send('POST', '/api/v1/websocket/broadcast', body)).toMatchObject({ success: true });
    expect((await panel.message('monitoring_update'))['timestamp']).toMatch(/^20/);
  });

  test('of several servers get a broadcast that names these', async () => {
    const [one, two, none] = [await open('ws/monitoring/n-1'), await open('ws/monitoring/n-2'), await open()];
    const every = await open();
    every.watch([]);
    for (const each of [one, two, none, every]) await each.heartbeat();
    const body = { server_ids: ['n-1', 'n-2', 'n-1'], data: { cpu: 1 } };
    expect(await gateway.send('POST', '/api/v1/websocket/broadcast', body)).toMatchObject({
      topics: ['server:n-1', 'server:n-2'],
      recipients: 4,
    });
    for (const each of [one, two]) await each.message('monitoring_update');
    const isOurs = ({ server_id }: OldMessage) => server_id === 'n-1' || server_id === 'n-2';
    await every.until(() => every.publications('monitoring_update').filter(isOurs).length === 2);
    await none.heartbeat();
    expect(none.publications('monitoring_update')).toEqual([]);
    every.socket.terminate();
  });

  test('filter by server, monitoring type and alert level, all at once', async () => {
    const panel = await open();
    panel.watch(['f-1', 'f-2'], ['cpu', 'disk'], ['critical']);
    await panel.heartbeat();
    await update('f-3', 'cpu', 'critical', 1);
    await update('f-1', 'memory', 'critical', 2);
    await update('f-1', 'cpu', 'info', 3);
    await update('f-1', 'cpu', 'critical', 4);
    await update('f-2', 'disk', 'critical', 5);
    await panel.until(() => panel.cpu.size === 2);
    // Of two topics, in whatever order.
    const told = panel.publications('monitoring_update').map(({ data }) => (data as { cpu: number }).cpu);
    expect(told.sort()).toEqual([4, 5]);
  });

  test('get nothing twice when they subscribe again with another filter', async () => {
    const panel = await open();
    panel.watch([], [], ['critical']);
    panel.watch(['again']);
    panel.watch(['again']);
    await panel.heartbeat();
    await update('again', 'cpu', 'critical', 1);
    await update('again', 'cpu', 'info', 2);
    const isOurs = ({ server_id }: OldMessage) => server_id === 'again';
    await panel.until(() => panel.publications('monitoring_update').filter(isOurs).length >= 2);
    await panel.heartbeat();
    expect(panel.publications('monitoring_update').filter(isOurs)).toMatchObject([
      { data: { alert_level: 'critical' } },
      { data: { alert_level: 'info' } },
    ]);
    expect(panel.publications('error')).toEqual([]);
  });

  test('name servers, not patterns', async () => {
    const panel = await open();
    for (const id of ['*', 'web-*']) {
      const told = await panel.ask({ type: 'subscribe', data: { server_ids: ['one', id] } }, 'error');
      expect(told).toMatchObject({ data: { code: 'invalid_topic' } });
    }
    const path = `${gateway.socketBase}/api/v1/websocket/ws/monitoring/web-*?token=${apiKey}`;
    expect(await new OldClient(path).refused()).toBe(400);
    await update('web-1', 'cpu', 'info', 1);
    await panel.heartbeat();
    expect(panel.publications('monitoring_update')).toEqual([]);
  });

  test('end some subscriptions, or all, also such as they have not', async () => {
    const panel = await open();
    panel.watch(['end-1', 'end-2']);
    panel.send({ type: 'unsubscribe', data: { server_ids: ['end-1'] } });
    await panel.heartbeat();
    await update('end-1', 'cpu', 'info', 1);
    await update('end-2', 'cpu', 'info', 2);
    await panel.message('monitoring_update');
    panel.send({ type: 'unsubscribe' });
    panel.send({ type: 'unsubscribe' });
    await panel.heartbeat();
    await update('end-2', 'cpu', 'info', 3);
    await panel.heartbeat();
    expect(panel.publications('monitoring_update')).toMatchObject([{ data: { cpu: 2 } }]);
    expect(panel.publications('error')).toEqual([]);
  });

  test('get the newest values when they subscribe', async () => {
    await update('new', 'cpu', 'info', 1);
    await update('new', 'cpu', 'info', 2);
    await update('new', 'disk', 'info', 3);
    const panel = await open();
    panel.watch(['new']);
    await panel.until(() => panel.publications('monitoring_update').length === 2);
    await panel.heartbeat();
    expect(panel.publications('monitoring_update').map(({ data }) => (data as { cpu: number }).cpu)).toEqual([
      2, 3,
    ]);
  });

  test('get the newest measurement and the newest change of status when they subscribe', async () => {
    const send = (type: string, data: object) =>
      gateway.send('POST', '/api/v1/websocket/broadcast', { type, data: { server_id: 'both', ...data } });
    for (const monitoring_type of [undefined, 'cpu', 'ü'])
      for (const type of ['monitoring_update', 'status_change'])
        for (const n of [1, 2]) await send(type, { monitoring_type, n });
    const panel = await open();
    panel.watch(['both']);
    await panel.heartbeat();
    const told = panel.frames.filter(({ server_id }) => server_id === 'both');
    expect(told.map(({ type, data }) => [type, data])).toEqual(
      [{}, { monitoring_type: 'cpu' }, { monitoring_type: 'ü' }].flatMap((of) =>
        ['monitoring_update', 'status_change'].map((type) => [type, { server_id: 'both', ...of, n: 2 }]),
      ),
    );
  });

  test('get all values again at each refresh, and a change of status at once', async () => {
    const send = (type: string, data: object) =>
      moved.send('POST', '/api/v1/websocket/broadcast', { type, data: { server_id: 'web-01', ...data } });
    await send('monitoring_update', { cpu: 1 });
    const panel = await opened(MonitoringPanel.open(moved.socketBase, apiKey));
    panel.watch(['web-01']);
    await panel.message('monitoring_update');
    await send('status_change', { to: 'down' });
    await panel.message('status_change');
    // The value from before is sent again only by a refresh.
    for (const type of ['monitoring_update', 'status_change'])
      await panel.until(() => panel.publications(type).length >= 3);
    expect(panel.publications('error')).toEqual([]);
  });

  test('all get a broadcast that names no server, and no one else does', async () => {
    const panel = await open();
    await panel.heartbeat();
    const native = await gateway.open();
    await gateway.send('POST', '/api/v1/websocket/broadcast', {
      type: 'status_change',
      data: { to: 'down' },
    });
    expect(await panel.message('status_change')).toMatchObject({ data: { to: 'down' } });
    await native.call({ type: 'ping' });
    expect(native.frames.some(({ type }) => type === 'status_change')).toBe(false);
  });

  test.each([
    ['no JSON', 'subscribe', 'invalid_json'],
    ['a list', '[]', 'invalid_frame'],
    ['no type', '{"data":{}}', 'invalid_frame'],
    ['an unknown type', '{"type":"publish","topic":"server:x","event":"y"}', 'unknown_command'],
    ['data that is none', '{"type":"subscribe","data":[1]}', 'invalid_request'],
    ['a server that is none', '{"type":"subscribe","data":{"server_ids":[{}]}}', 'invalid_request'],
    ['a name that is none', '{"type":"subscribe","data":{"server_ids":["a b"]}}', 'invalid_topic'],
    ['a member twice', '{"type":"ping","type":"ping"}', 'invalid_json'],
  ])('are told what is wrong with %s', async (_, text, code) => {
    const panel = await open();
    panel.socket.send(text);
    expect(await panel.message('error')).toMatchObject({
      type: 'error',
      data: { code, message: expect.any(String) },
      timestamp: expect.stringMatching(/Z$/),
    });
    expect((await panel.heartbeat()).type).toBe('pong');
  });

  test('need a token, and get what it allows', async () => {
    expect(await new MonitoringPanel(`${gateway.socketBase}/api/v1/websocket/ws`).refused()).toBe(401);
    const token = await gateway.token('watcher', { pattern: 'server:mine', allow: ['subscribe'] });
    const panel = await open('ws', token);
    panel.watch(['mine']);
    panel.watch(['theirs']);
    expect(await panel.message('error')).toMatchObject({ data: { code: 'forbidden' } });
    await update('mine', 'cpu', 'info', 1);
    await panel.message('monitoring_update');
  });

  test('are counted, listed and ended by the old routes, which need a key', async () => {
    const panel = await open();
    panel.watch(['counted']);
    await panel.heartbeat();
    const stats = await gateway.read<{ active_connections: number; subscriptions: object }>(
      '/api/v1/websocket/stats',
    );
    expect(stats).toMatchObject({ total_connections: expect.any(Number), messages_sent: expect.any(Number) });
    expect(stats.active_connections).toBeGreaterThan(0);
    const { connections } = await gateway.read<{ connections: { id: string; codec: string }[] }>(
      '/api/connections?topic=server:counted',
    );
    expect(connections).toMatchObject([{ codec: 'compat-a' }]);
    const path = `/api/v1/websocket/connections/${connections[0]?.id}/disconnect`;
    expect((await fetch(gateway.url + path, { method: 'POST' })).status).toBe(401);
    expect(await gateway.send('POST', path, {})).toMatchObject({ disconnected: true });
    await expect(panel.until(() => false)).rejects.toThrow('closed with 4500');
    expect((await fetch(`${gateway.url}/api/v1/websocket/stats`)).status).toBe(401);
  });
});
