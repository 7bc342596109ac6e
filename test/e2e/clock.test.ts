import { afterEach, describe, expect, it, vi } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { gatewayOfTest } from '../support/sdk.ts';
import { newFolder } from '../support/temporary.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const hourMs = 3_600_000;
const headers = { 'x-api-key': apiKey };

let gateway: TestGateway;

afterEach(() => {
  vi.useRealTimers();
});

/** Sets the wall clock of this process, and leaves the monotonic one. */
function setWallClock(stepMs: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + stepMs });
}

async function get(path: string) {
  const response = await fetch(gateway.url + path, { headers });
  return (await response.json()) as Record<string, unknown>;
}

const publish = async (fields: object) =>
  (await gateway.post('/api/publish', JSON.stringify(fields), headers)).json();

const data = (page: Record<string, unknown>) =>
  (page['messages'] as { data: unknown }[]).map((publication) => publication.data);

describe.each([
  ['memory', hourMs],
  ['memory', -hourMs],
  ['lmdb', hourMs],
  ['lmdb', -hourMs],
] as const)('of the engine %s, when the wall clock is set by %d ms', (engine, stepMs) => {
  it('nothing ages, expires or is forgotten, and readers are told the time that it shows', async () => {
    const dataDir = newFolder();
    gateway = await gatewayOfTest({
      engine,
      dataDir,
      topicHistoryMaxAgeSeconds: 600,
      apiKeys: [apiKey],
      tokenSecret,
    });
    const first = { topic: 't', data: 1, messageId: 'm', ttlMs: 600_000 };
    expect(await publish(first)).toMatchObject({ offset: 1 });
    const before = Date.now();
    setWallClock(stepMs);
    gateway.broker.sweep();
    expect(await publish(first)).toMatchObject({ offset: 1, duplicate: true });
    expect(await publish({ topic: 't', data: 2 })).toMatchObject({ offset: 2 });
    expect(data(await get('/api/topics/t/history'))).toEqual([1, 2]);
    const info = await get('/api/topics/t');
    const [, second] = (await get('/api/topics/t/history'))['messages'] as { timestamp: string }[];
    for (const shown of [info['lastPublishedAt'], second?.timestamp]) {
      const movedMs = Date.parse(shown as string) - before;
      expect(Math.abs(movedMs - stepMs)).toBeLessThan(60_000);
    }
    const { uptimeSeconds } = await get('/api/stats');
    expect(uptimeSeconds).toBeGreaterThanOrEqual(0);
    expect(uptimeSeconds).toBeLessThan(600);
  });
});

it('a token expires by the wall clock', async () => {
  gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
  const token = await signToken({ sub: 'alice', topics: [] }, { expiresIn: '30m' });
  const client = await opened(JsonClient.open(`${gateway.wsUrl}?token=${token}`));
  setWallClock(hourMs);
  expect(await client.end()).toMatchObject({ code: 4501 });
});

it.each([hourMs, -hourMs])(
  'the log says how long a connection lived, though the clock was set by %d ms',
  async (stepMs) => {
    const lines: string[] = [];
    gateway = await gatewayOfTest({ logLevel: 'info' }, undefined, {
      write: (line) => void lines.push(line),
    });
    const startMs = performance.now();
    const client = await JsonClient.open(gateway.wsUrl);
    setWallClock(stepMs);
    await client.close();
    const ended = () => lines.find((line) => line.includes('a connection ended'));
    await expect.poll(ended).toBeDefined();
    const { seconds } = JSON.parse(ended() ?? '') as { readonly seconds: number };
    // Whole milliseconds are logged: a fast machine may see the connection open and close within half of one.
    expect(seconds).toBeGreaterThanOrEqual(0);
    expect(seconds).toBeLessThan(1 + (performance.now() - startMs) / 1000);
  },
);
