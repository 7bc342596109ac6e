import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { ClientError } from '../../src/client/index.ts';
import { loadConfig } from '../../src/config.ts';
import { ofFile } from '../support/opened.ts';
import { clientOfTest, state } from '../support/sdk.ts';
import { apiKey } from '../support/tokens.ts';
import { OldClient } from './clients/old-client.ts';
import { startSystems } from './gateway.ts';

const gateway = ofFile(() =>
  startSystems({
    compat: ['a', 'b', 'c', 'd', 'e'],
    origins: ['https://jobs.example.org'],
    handshakesPerSecondPerIp: 500,
    connectionsMaxPerIp: 500,
  }),
);

const report = (id: string, update: object) => gateway.send('PUT', `/api/jobs/${id}`, update);

/** As long as a step's name may be. */
const longStep = 'storing'.padEnd(1000, '.');

/** What a client of a job may do. */
const follow = (pattern: string) => ({ pattern, allow: ['subscribe'] }) as const;

/** As a worker without the API key. */
async function reportAs(token: string, id: string, update: object): Promise<number> {
  const { status } = await fetch(`${gateway.url}/api/jobs/${encodeURIComponent(id)}`, {
    method: 'PUT',
    body: JSON.stringify(update),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  return status;
}

async function poll(id: string, token = apiKey) {
  const response = await fetch(`${gateway.url}/api/jobs/${encodeURIComponent(id)}/status`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test.each([
  ['completed', 'job_completed', 100],
  ['error', 'job_error', 60],
])('E1: a job tells its progress, and that it has ended: %s', async (status, type, progress) => {
  const client = await gateway.open();
  const id = `e1-${status}`;
  await client.call({ type: 'join_job', job_id: id });
  await report(id, { progress: 25, status: 'running', current_step: 'unpacking' });
  await report(id, { progress: 60, currentStep: longStep });
  await report(id, { status, error: status === 'error' ? 'disk full' : undefined });
  const told = await client.count(`job:${id}`, 3);
  expect(told.map((each) => [each.type, each['data']])).toEqual([
    [
      'job_progress',
      {
        job_id: id,
        progress: 25,
        status: 'running',
        current_step: 'unpacking',
        timestamp: expect.stringMatching(/Z$/),
      },
    ],
    ['job_progress', expect.objectContaining({ progress: 60, current_step: longStep })],
    [type, expect.objectContaining({ progress, status })],
  ]);
  await expect(report(id, { progress: 99 })).rejects.toThrow('409');
  expect((await report(id, { restart: true, progress: 1 }))['ended']).toBe(false);
});

test('E2: only sessions that joined a job hear of it, until they leave', async () => {
  const [member, other] = [await gateway.open(), await gateway.open()];
  await member.call({ type: 'join_job', job_id: 'e2' });
  await other.call({ type: 'join_job', job_id: 'e2-other' });
  await report('e2', { progress: 1 });
  await member.count('job:e2', 1);
  await member.call({ type: 'leave_job', job_id: 'e2' });
  await report('e2', { progress: 2 });
  for (const each of [member, other]) await each.call({ type: 'ping' });
  expect(member.publications('job:e2')).toHaveLength(1);
  expect(other.publications('job:e2')).toEqual([]);
});

test('E3: who polls sees what who listens was told; an unknown job is not found', async () => {
  const client = await gateway.open();
  await client.call({ type: 'join_job', job_id: 'e3' });
  expect((await poll('e3')).status).toBe(404);
  await report('e3', { progress: 40, status: 'running', current_step: 'copying' });
  const [told] = await client.count('job:e3', 1);
  const { body } = await poll('e3');
  expect(body).toMatchObject({ ...(told?.['data'] as object), ended: false, offset: told?.['offset'] });
  await report('e3', { status: 'completed' });
  expect((await poll('e3')).body).toMatchObject({ progress: 100, status: 'completed', ended: true });
});

test('E3: who polls sees what a backend published in the words of before, and has it ended by them', async () => {
  const tell = (type: string, data: object) => gateway.publish({ topic: 'job:37', type, data });
  await tell('job_progress', {
    job_id: 37,
    progress: 40,
    current_step: null,
    timestamp: '2026-01-02T03:04:05.678',
  });
  const { timestamp, ...told } = (await poll('37')).body;
  expect(told).toMatchObject({ job_id: '37', progress: 40, status: 'running', ended: false });
  expect(timestamp).not.toContain('2026-01-02');
  await expect(report('37', { progress: 30 })).rejects.toThrow('409');
  await tell('job_completed', { job_id: 37, status: 'SUCCESS', result: 'file.zip' });
  expect((await poll('37')).body).toMatchObject({ progress: 100, status: 'completed', ended: true });
  await expect(report('37', { progress: 50 })).rejects.toThrow('409');
  await tell('job_error', { error: 'disk full', timestamp: '2026-01-02T03:04:05Z' });
  expect((await poll('37')).body).toMatchObject({
    status: 'error',
    error: 'disk full',
    ended: true,
    timestamp: '2026-01-02T03:04:05Z',
  });
});

test('E3: another message of its backend changes nothing of what is known of a job', async () => {
  const tell = (what: object) => gateway.publish({ topic: 'job:40', type: 'news', data: {}, ...what });
  await tell({});
  expect((await poll('40')).status).toBe(404);
  await report('40', { progress: 60 });
  for (const what of [{}, { key: 'log' }, { data: { about: 'something else' } }]) {
    await tell(what);
    expect((await poll('40')).body).toMatchObject({ progress: 60, status: 'running', ended: false });
    await expect(report('40', { progress: 50 })).rejects.toThrow('409');
  }
  await report('40', { progress: 70 });
  expect((await poll('40')).body).toMatchObject({ progress: 70 });
});

test('E1: a job may be reported by the very object that clients get', async () => {
  const said = { job_id: 38, progress: 40, status: 'running', current_step: null, error: null };
  const timestamp = '2026-01-02T03:04:05Z';
  await report('38', { ...said, timestamp });
  expect((await poll('38')).body).toMatchObject({ job_id: '38', progress: 40, timestamp });
  expect((await poll('38')).body).not.toHaveProperty('current_step');
  await expect(report('39', said)).rejects.toThrow('another job');
});

test('E3: a client that gets no socket polls by itself, returns to the socket, and misses nothing', async () => {
  let isRefused = true;
  /** On a way that refuses the upgrade. */
  class Refused extends WebSocket {
    constructor(url: string, protocols?: string | string[]) {
      super(isRefused ? url.replace('/ws', '/healthz') : url, protocols);
    }
  }
  const client = clientOfTest(gateway.wsUrl, {
    token: apiKey,
    WebSocket: Refused,
    transports: ['websocket', 'poll'],
    fallbackPollingInterval: 50,
    jitter: 'none',
  });
  const transports: string[] = [];
  client.onConnect(() => transports.push(client.getStatus().transport));
  const heard: number[] = [];
  const subscription = client.subscribe<{ progress: number }>('job:e3-fallback');
  subscription.on('map', (jobs) => heard.push(jobs.get('')?.data.progress ?? 0));
  client.connect().catch(() => undefined);
  await state(subscription, 'live');
  let progress = 0;
  const next = () => report('e3-fallback', { progress: ++progress });
  while (progress < 5) await next();
  await expect.poll(() => heard.at(-1)).toBe(5);
  isRefused = false;
  while (client.getStatus().transport !== 'websocket' && progress < 90) {
    await next();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  while (progress < 100) await next();
  await expect.poll(() => heard.at(-1)).toBe(100);
  await expect.poll(() => transports).toEqual(['poll', 'websocket']);
  expect(heard).toEqual([...heard].sort((a, b) => a - b));
});

test('E3: with `enableWebSocket: false` a client opens none', async () => {
  const client = clientOfTest(gateway.wsUrl, { token: apiKey, enableWebSocket: false });
  const subscription = client.subscribe('job:e3-http');
  await client.connect();
  await state(subscription, 'live');
  await report('e3-http', { progress: 3 });
  await expect.poll(() => subscription.current().get('')?.data).toMatchObject({ progress: 3 });
  expect(client.getStatus().transport).toBe('sse');
});

describe('E4', () => {
  test('messages queue while a client is offline', async () => {
    const listener = await gateway.open();
    await listener.call({ type: 'join_job', job_id: 'e4' });
    const client = clientOfTest(gateway.wsUrl, { token: apiKey });
    const published = [10, 20, 30].map((progress) => client.publish('job:e4', 'job_progress', { progress }));
    await client.connect();
    await Promise.all(published);
    const told = await listener.count('job:e4', 3);
    expect(told.map(({ data }) => (data as { progress: number }).progress)).toEqual([10, 20, 30]);
  });

  test('duplicates are dropped', async () => {
    const client = await gateway.open();
    await client.call({ type: 'join_job', job_id: 'e4-twice' });
    const once = { progress: 5, messageId: 'm-1' };
    expect(await report('e4-twice', once)).toMatchObject({ offset: 1 });
    expect(await report('e4-twice', once)).toMatchObject({ offset: 1 });
    await report('e4-twice', { progress: 6 });
    expect(await client.count('job:e4-twice', 2)).toMatchObject([{ offset: 1 }, { offset: 2 }]);
  });

  test.each([
    ['{"progress":101}', 400],
    ['{"progress":-1}', 400],
    ['{"progress":"half"}', 400],
    ['{"status":""}', 400],
    ['{"progress":', 400],
    ['[]', 400],
  ])('a malformed report gets a clear error: %s', async (body, status) => {
    const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' };
    const answer = await fetch(`${gateway.url}/api/jobs/e4-bad`, { method: 'PUT', body, headers });
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    expect(answer.status).toBe(status);
    expect(error).toEqual(
      expect.objectContaining({ code: expect.stringMatching(/^invalid_/), message: expect.any(String) }),
    );
    expect((await poll('e4-bad')).status).toBe(404);
  });

  test('the name of a step has 1000 characters at most', async () => {
    await expect(report('e4-step', { current_step: `${longStep}.` })).rejects.toThrow('400');
    expect(await report('e4-step', { current_step: longStep })).toMatchObject({ current_step: longStep });
  });

  test('reports that race are told in order, none of them backwards', async () => {
    const client = await gateway.open();
    await client.call({ type: 'join_job', job_id: 'e4-race' });
    const token = await gateway.token('worker', { pattern: 'job:e4-race', allow: ['publish'] });
    const reports = Array.from({ length: 15 }, (_, i) => ({ progress: (i * 7) % 15 }));
    const statuses = await Promise.all(reports.map((each) => reportAs(token, 'e4-race', each)));
    expect(new Set(statuses)).toEqual(new Set([200, 409]));
    const accepted = statuses.filter((each) => each === 200).length;
    const told = await client.count('job:e4-race', accepted);
    const progress = told.map(({ data }) => (data as { progress: number }).progress);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect((await poll('e4-race')).body['progress']).toBe(14);
  });

  test('the user is told when the retries are over', async () => {
    const closed = await startSystems();
    const { wsUrl } = closed;
    await closed.close();
    const client = clientOfTest(wsUrl, { maxReconnectAttempts: 2, jitter: 'none' });
    const failed = new Promise<ClientError | undefined>((resolve) =>
      client.on('state', (change) => change.state === 'closed' && resolve(change.error)),
    );
    client.connect().catch(() => undefined);
    expect((await failed)?.code).toBe('retries_over');
    expect(client.getStatus()).toMatchObject({ state: 'closed', reason: 'retries_over' });
  });
});

describe('E5', () => {
  test('only who may, joins, polls and reports', async () => {
    const client = await gateway.open('e5-user', follow('job:e5-mine'));
    expect(await client.call({ type: 'join_job', job_id: 'e5-mine' })).toMatchObject({ type: 'subscribed' });
    const refused = await client.call({ type: 'join_job', job_id: 'e5-theirs' });
    expect(JSON.stringify(refused)).toContain('"forbidden"');
    const token = await gateway.token('e5-user', follow('job:e5-mine'));
    await report('e5-mine', { progress: 1 });
    await report('e5-theirs', { progress: 1 });
    expect((await poll('e5-mine', token)).status).toBe(200);
    expect((await poll('e5-theirs', token)).status).toBe(403);
    expect(await reportAs(token, 'e5-mine', { progress: 2 })).toBe(403);
    expect((await fetch(`${gateway.url}/api/jobs/e5-mine/status`)).status).toBe(401);
  });

  test.each(['a b', 'x*', 'ü', 'a/../b', '../../etc/passwd', 'a\nb', 'x'.repeat(200)])(
    'the id %j is refused by every door',
    async (id) => {
      const client = await gateway.open();
      const joined = await client.call({ type: 'join_job', job_id: id });
      expect(JSON.stringify(joined)).toContain('"invalid_topic"');
      expect((await poll(id)).body).toMatchObject({ error: { code: expect.stringMatching(/^invalid_/) } });
      expect(await reportAs(apiKey, id, { progress: 1 })).toBe(400);
    },
  );

  test('handshakes are rate limited', async () => {
    const narrow = await startSystems({ handshakesPerSecondPerIp: 2, connectionsMaxPerIp: 2 });
    const attempts = Array.from({ length: 10 }, async () => {
      const socket = new WebSocket(`${narrow.wsUrl}?token=${apiKey}`);
      return new Promise<number>((resolve) => {
        socket.on('open', () => {
          socket.terminate();
          resolve(101);
        });
        socket.on('unexpected-response', (_, response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
      });
    });
    expect(new Set(await Promise.all(attempts))).toEqual(new Set([101, 429]));
    await narrow.close();
  });
});

describe('E6: what its environment said', () => {
  test('pages of other origins are refused', async () => {
    const from = (origin: string) =>
      new OldClient(`ws://127.0.0.1:${gateway.port}/?token=${apiKey}`, { origin });
    expect(await from('https://evil.example.org').refused()).toBe(403);
    const allowed = await from('https://jobs.example.org').opened();
    expect((await allowed.ask({ type: 'ping' }, 'pong')).type).toBe('pong');
    await allowed.close();
  });

  test('variables turn it on, and set port and origins', () => {
    const env = {
      SLUICE_COMPAT: 'e',
      SLUICE_PORT: '8001',
      SLUICE_ORIGINS: 'https://jobs.example.org,http://localhost:3000',
    };
    expect(loadConfig({ env })).toMatchObject({
      compat: ['e'],
      port: 8001,
      origins: ['https://jobs.example.org', 'http://localhost:3000'],
    });
    expect(loadConfig({ env: {} }).compat).toEqual([]);
  });

  test('without it in `compat` its WebSocket is not there', async () => {
    const without = await startSystems({ compat: ['a'] });
    // The dashboard is at this path, where it was built.
    const status = await new OldClient(`ws://127.0.0.1:${without.port}/?token=${apiKey}`).refused();
    expect([200, 404]).toContain(status);
    await without.close();
  });
});

describe('E7', () => {
  test('half of the updates arrive within a tenth of a second', async () => {
    const client = clientOfTest(gateway.wsUrl, { token: apiKey });
    const arrivals: ((atMs: number) => void)[] = [];
    const subscription = client.subscribe('job:e7', {}, () => arrivals.shift()?.(performance.now()));
    await client.connect();
    await state(subscription, 'live');
    const tookMs: number[] = [];
    const plainMs: number[] = [];
    for (let progress = 1; progress <= 40; progress++) {
      const plainAtMs = performance.now();
      await fetch(`${gateway.url}/healthz`);
      const startMs = performance.now();
      plainMs.push(startMs - plainAtMs);
      const arrived = new Promise<number>((resolve) => arrivals.push(resolve));
      await report('e7', { progress });
      tookMs.push((await arrived) - startMs);
    }
    const median = (all: number[]) => all.sort((a, b) => a - b)[20] as number;
    // Where the machine is so busy that a plain request takes long, an update takes as long as several.
    expect(median(tookMs)).toBeLessThan(Math.max(100, 10 * median(plainMs)));
  });

  test('every one of a hundred connections succeeds at the first attempt, and none falls back', async () => {
    const clients = Array.from({ length: 100 }, () => clientOfTest(gateway.wsUrl, { token: apiKey }));
    await Promise.all(clients.map((client) => client.connect()));
    const seen = clients.map((client) => {
      const { transport } = client.getStatus();
      const { connects, disconnects } = client.getStats();
      return `${transport} ${connects} ${disconnects}`;
    });
    expect(new Set(seen)).toEqual(new Set(['websocket 1 0']));
  });
});
