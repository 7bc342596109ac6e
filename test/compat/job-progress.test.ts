import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { ofFile } from '../support/opened.ts';
import { apiKey } from '../support/tokens.ts';
import { OldClient } from '../systems/clients/old-client.ts';
import { startSystems } from '../systems/gateway.ts';

const gateway = ofFile(() => startSystems({ compat: ['e'] }));

const report = (id: string, update: object) => gateway.send('PUT', `/api/jobs/${id}`, update);

describe('the clients of job progress', () => {
  test('follow a job to its end, in a script of Python', async () => {
    const script = fileURLToPath(new URL('../systems/clients/job-progress.py', import.meta.url));
    const child = execFile('/usr/bin/python3', [script, `${gateway.socketBase}/?token=${apiKey}`, 'py-1']);
    const exit = once(child, 'exit');
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    const next = async () => JSON.parse((await lines.next()).value as string);
    expect((await next()).type).toBe('pong');
    await report('py-1', { status: 'running', progress: 40, current_step: 'copying' });
    expect(await next()).toEqual({
      type: 'job_progress',
      job_id: 'py-1',
      progress: 40,
      status: 'running',
      current_step: 'copying',
      timestamp: expect.stringMatching(/Z$/),
    });
    await report('py-1', { status: 'completed' });
    expect(await next()).toMatchObject({ type: 'job_completed', job_id: 'py-1', progress: 100 });
    expect(await exit).toEqual([0, null]);
  });

  test('get the state of a job when they join, and nothing once they have left', async () => {
    await report('42', { status: 'running', progress: 10 });
    const client = await new OldClient(`${gateway.socketBase}/?token=${apiKey}`).opened();
    client.send({ type: 'join_job', job_id: 42 });
    expect(await client.message('job_progress')).toMatchObject({ job_id: '42', progress: 10 });
    client.send({ type: 'leave_job', job_id: '42' });
    client.send({ type: 'leave_job', job_id: '42' });
    await client.ask({ type: 'ping' }, 'pong');
    await report('42', { status: 'error', error: 'disk full' });
    await client.ask({ type: 'ping' }, 'pong');
    expect(client.frames.map(({ type }) => type)).toEqual(['job_progress', 'pong', 'pong']);
    await client.close();
  });

  test('get no message for a removal, also if it excepts a session that is not here', async () => {
    await report('43', { status: 'running', progress: 10 });
    const socket = new WebSocket(`${gateway.socketBase}/?token=${apiKey}`);
    const texts: string[] = [];
    socket.on('message', (data: Buffer) => texts.push(data.toString()));
    const until = async (progress: number) => {
      while (!texts.some((text) => text.includes(`"progress":${progress}`))) await once(socket, 'message');
    };
    await once(socket, 'open');
    socket.send('{"type":"join_job","job_id":"43"}');
    await until(10);
    for (const except of [undefined, 'another'])
      await gateway.publish({ topic: 'job:43', type: 'gone', removed: true, except });
    await report('43', { status: 'running', progress: 20 });
    await until(20);
    expect(texts).not.toContain('');
    socket.terminate();
  });

  test('are told what is wrong, and join only what they may', async () => {
    const token = await gateway.token('worker', { pattern: 'job:own-*', allow: ['subscribe'] });
    const client = await new OldClient(`${gateway.socketBase}/?token=${token}`).opened();
    const errors: [object, string][] = [
      [{ type: 'join_job' }, 'invalid_request'],
      [{ type: 'join_job', job_id: ['a'] }, 'invalid_request'],
      [{ type: 'join_job', job_id: 'a b' }, 'invalid_topic'],
      [{ type: 'join_job', job_id: 'not-own' }, 'forbidden'],
      [{ type: 'subscribe', topic: 'job:own-1' }, 'unknown_command'],
    ];
    for (const [message, code] of errors)
      expect([message, await client.ask(message, 'error')]).toMatchObject([message, { type: 'error', code }]);
    client.send({ type: 'join_job', job_id: 'own-1' });
    await client.ask({ type: 'ping' }, 'pong');
    await report('own-1', { status: 'running', progress: 1 });
    await client.message('job_progress');
    await client.close();
    expect(await new OldClient(`${gateway.socketBase}/`).refused()).toBe(401);
  });

  test('find the page of the gateway and its own WebSocket where they were', async () => {
    expect([200, 404]).toContain((await fetch(`${gateway.url}/`)).status);
    const native = await gateway.open();
    expect(await native.call({ type: 'join_job', job_id: '42' })).toMatchObject({
      type: 'subscribed',
      results: [{ topic: 'job:42' }],
    });
    expect(await native.call({ type: 'leave_job', job_id: '42' })).toMatchObject({ type: 'unsubscribed' });
    expect(await native.call({ type: 'get_status' })).toEqual({
      type: 'status',
      id: 3,
      connected_at: expect.any(Number),
      subscriptions: ['$all'],
      message_count: expect.any(Number),
      timestamp: expect.stringMatching(/Z$/),
    });
    // Stats are those of system D, which this gateway does not serve.
    expect(await native.call({ type: 'stats' })).toMatchObject({ type: 'error', code: 'not_supported' });
    expect(await native.call({ type: 'join_job' })).toMatchObject({ type: 'error', code: 'invalid_request' });
  });
});
