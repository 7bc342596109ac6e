import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { gatewayOfFile } from '../support/sdk.ts';
import { newFile } from '../support/temporary.ts';

const keys = { all: 'the-key-that-may-all', backend: 'the-key-of-a-backend', viewer: 'the-key-of-a-viewer!' };
const hashed = (key: string) => createHash('sha256').update(key).digest('hex');

const apiKeys = [
  { name: 'all', sha256: hashed(keys.all) },
  { name: 'backend', sha256: hashed(keys.backend), scopes: ['publish'], topics: ['server:*', 'stats'] },
  { name: 'viewer', sha256: hashed(keys.viewer), scopes: ['read'], topics: ['server:*'] },
];
const gateway = gatewayOfFile({}, newFile('sluice.json', JSON.stringify({ apiKeys })));

async function status(method: string, path: string, key: keyof typeof keys, body?: unknown): Promise<number> {
  const response = await fetch(gateway.url + path, {
    method,
    headers: { 'x-api-key': keys[key], 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

describe('a key that is limited to some topics', () => {
  it.each([
    ['server:1', 200],
    ['stats', 200],
    ['stats2', 403],
    ['user:alice', 403],
  ])('publishes to %s: %i', async (topic, expected) => {
    expect(await status('POST', '/api/publish', 'backend', { topic })).toBe(expected);
  });

  it('is refused item by item in a batch', async () => {
    const response = await fetch(`${gateway.url}/api/publish/batch`, {
      method: 'POST',
      headers: { 'x-api-key': keys.backend, 'content-type': 'application/json' },
      body: JSON.stringify([{ topic: 'server:1' }, { topic: 'other' }]),
    });
    expect(await response.json()).toMatchObject({
      results: [{ offset: expect.any(Number) }, { error: { code: 'forbidden' } }],
    });
  });

  it.each([
    ['GET', '/api/topics/server:1/history', 'viewer', 200],
    ['GET', '/api/topics/stats/history', 'viewer', 403],
    ['GET', '/api/topics?prefix=server:', 'viewer', 200],
    ['GET', '/api/topics', 'viewer', 403],
    ['GET', '/api/topics/$canary/history', 'viewer', 403],
    ['GET', '/api/stats', 'viewer', 403],
    ['GET', '/metrics', 'viewer', 403],
    ['GET', '/api/connections', 'viewer', 403],
    ['POST', '/api/publish', 'viewer', 403],
    ['POST', '/api/broadcast', 'backend', 403],
    ['GET', '/api/topics/server:1/history', 'backend', 403],
    ['PUT', '/api/jobs/1', 'backend', 403],
    ['GET', '/api/stats', 'all', 200],
  ] as const)('%s %s by %s: %i', async (method, path, key, expected) => {
    const body = path === '/api/publish' ? { topic: 'server:1' } : {};
    expect(await status(method, path, key, method === 'GET' ? undefined : body)).toBe(expected);
  });

  it('subscribes to these, and to no others', async () => {
    const socket = new WebSocket(gateway.wsUrl, { headers: { 'x-api-key': keys.viewer } });
    const results = await new Promise<{ topic: string; error?: { code: string } }[]>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () => {
        const subscriptions = [
          { topic: 'server:*' },
          { topic: 'server:1' },
          { topic: 'stats' },
          { topic: '*' },
        ];
        socket.send(JSON.stringify({ type: 'subscribe', id: 1, subscriptions }));
      });
      socket.on('message', (data) => {
        const frame = JSON.parse(String(data));
        if (frame.id === 1) resolve(frame.results);
      });
    });
    socket.close();
    expect(results.map(({ error }) => error?.code)).toEqual([undefined, undefined, 'forbidden', 'forbidden']);
  });
});
