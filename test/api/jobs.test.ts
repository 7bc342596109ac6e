import { describe, expect, test } from 'vitest';
import { signToken, tokenSecret } from '../support/tokens.ts';
import { startApi } from './harness.ts';

type Api = Awaited<ReturnType<typeof startApi>>;

const put = ({ ask }: Api, id: string, body: unknown, headers: Record<string, string> = {}) =>
  ask('PUT', `/api/jobs/${id}`, {
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const status = ({ get }: Api, id: string) => get(`/api/jobs/${id}/status`);

async function history({ get }: Api, id: string) {
  const { messages } = (await get(`/api/topics/job:${id}/history`)).json<{
    messages: { type: string; data: Record<string, unknown>; offset: number }[];
  }>();
  return messages.map(({ type, data }) => [type, data['progress']]);
}

describe('PUT /api/jobs/{id}', () => {
  test('reports progress to the topic of the job, and returns what it says now', async () => {
    const api = await startApi();
    const first = await put(api, '42', { progress: 10.5, status: 'running', current_step: 'unpacking' });
    expect(first.status).toBe(200);
    expect(first.json()).toEqual({
      job_id: '42',
      progress: 10.5,
      status: 'running',
      current_step: 'unpacking',
      timestamp: expect.stringMatching(/Z$/),
      ended: false,
      topic: 'job:42',
      epoch: expect.any(String),
      offset: 1,
    });
    await put(api, '42', { currentStep: 'storing' });
    expect((await status(api, '42')).json()).toMatchObject({
      progress: 10.5,
      current_step: 'storing',
      offset: 2,
    });
    await put(api, '42', { status: 'completed', details: { files: [1, 2] } });
    expect((await status(api, '42')).json()).toMatchObject({
      progress: 100,
      status: 'completed',
      details: { files: [1, 2] },
      ended: true,
      offset: 3,
    });
    expect(await history(api, '42')).toEqual([
      ['job_progress', 10.5],
      ['job_progress', 10.5],
      ['job_completed', 100],
    ]);
  });

  test.each([
    [{ progress: -0.1 }, 400],
    [{ progress: 0 }, 200],
    [{ progress: 100 }, 200],
    [{ progress: 100.1 }, 400],
    [{ progress: '50' }, 400],
    [{ status: '' }, 400],
    [{ status: 'x'.repeat(64) }, 200],
    [{ status: 'x'.repeat(65) }, 400],
    [{ current_step: 'x'.repeat(1001) }, 400],
    [{ currentStep: 'x'.repeat(1001) }, 400],
    [{ unknown: 1 }, 400],
    ['{"progress":1,"progress":2}', 400],
    ['[]', 400],
    ['', 400],
  ])('%j gives %i', async (body, expected) => {
    const api = await startApi();
    expect((await put(api, '42', body)).status).toBe(expected);
    if (expected !== 200) expect((await status(api, '42')).status).toBe(404);
  });

  test('does not go backwards, unless the job begins anew', async () => {
    const api = await startApi();
    await put(api, '42', { progress: 50 });
    const back = await put(api, '42', { progress: 49 });
    expect([back.status, back.json()]).toMatchObject([409, { error: { code: 'job_conflict' } }]);
    expect((await put(api, '42', { progress: 50, current_step: 'still' })).status).toBe(200);
    expect((await put(api, '42', { progress: 5, restart: true })).json()).toMatchObject({
      progress: 5,
      offset: 3,
    });
  });

  test.each(['completed', 'error'])(
    'says nothing after the end, unless the job begins anew: %s',
    async (end) => {
      const api = await startApi();
      await put(api, '42', { progress: 30 });
      expect((await put(api, '42', { status: end, error: 'disk full' })).json()).toMatchObject({
        ended: true,
      });
      expect((await put(api, '42', { progress: 99 })).status).toBe(409);
      const { json } = await put(api, '42', { restart: true });
      expect(json()).toMatchObject({ progress: 0, status: 'running', ended: false });
      expect((await history(api, '42')).map(([type]) => type)).toEqual([
        'job_progress',
        end === 'error' ? 'job_error' : 'job_completed',
        'job_progress',
      ]);
    },
  );

  test('changes nothing if it repeats a report, also after the end', async () => {
    const api = await startApi();
    const last = { status: 'completed', details: null };
    for (const report of [{ progress: 5 }, { progress: 6, details: null }, last]) {
      const first = (await put(api, '42', report)).json();
      expect((await put(api, '42', report)).json()).toEqual(first);
    }
    expect(await history(api, '42')).toHaveLength(3);
  });

  test('orders concurrent reports: none is lost, none goes backwards', async () => {
    const api = await startApi();
    const progress = Array.from({ length: 15 }, (_, index) => ({ progress: (index * 7) % 15 }));
    const answers = await Promise.all(progress.map((report) => put(api, '42', report)));
    const told = (await history(api, '42')).map(([, each]) => each as number);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(answers.filter(({ status: code }) => code === 200)).toHaveLength(told.length);
    expect(told.at(-1)).toBe(14);
  });

  test.each(['a b', 'x*', 'ü', '../..', 'x'.repeat(300)])('refuses the id %j', async (id) => {
    const api = await startApi();
    expect((await put(api, encodeURIComponent(id), { progress: 1 })).status).toBe(400);
    expect((await status(api, encodeURIComponent(id))).status).toBe(400);
  });

  test('does not take other publications to the topic for reports', async () => {
    const api = await startApi();
    await api.post('/api/publish', '{"topic":"job:42","data":"hello"}');
    expect((await status(api, '42')).status).toBe(404);
    expect((await put(api, '42', { progress: 1 })).json()).toMatchObject({ offset: 2 });
  });
});

test('only who may read or publish the topic of a job sees or reports it', async () => {
  const api = await startApi({ keys: ['a-key-of-some-length'], tokenSecret });
  const bearer = async (allow: string[]) => ({
    authorization: `Bearer ${await signToken({ topics: [{ pattern: 'job:mine', allow }] })}`,
  });
  const [reader, publisher] = [await bearer(['subscribe']), await bearer(['publish'])];
  const report = { progress: 1 };
  expect((await put(api, 'mine', report, publisher)).status).toBe(200);
  expect((await put(api, 'other', report, publisher)).status).toBe(403);
  expect((await put(api, 'mine', report, reader)).status).toBe(403);
  expect((await put(api, 'mine', report)).status).toBe(401);
  expect((await api.get('/api/jobs/mine/status', reader)).status).toBe(200);
  expect((await api.get('/api/jobs/other/status', reader)).status).toBe(403);
  expect((await api.get('/api/jobs/mine/status')).status).toBe(401);
});
