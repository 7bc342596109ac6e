import { expect, test } from 'vitest';
import { startGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { publishRequest, RawSocket } from '../support/raw-socket.ts';
import { publicationsOf, SseClient } from '../support/sse-client.ts';

const body = JSON.stringify({ topic: 'a', type: 'e', data: 2 });

test('a gateway that drains is not ready, takes no clients, and finishes what is under way', async () => {
  const gateway = await startGateway({ drainSeconds: 1, shutdownGraceSeconds: 10 });
  const clients = await Promise.all(Array.from({ length: 30 }, () => JsonClient.open(gateway.wsUrl)));
  const stream = await SseClient.open({ port: gateway.port, path: '/sse?topic=a' });
  await stream.until(() => stream.of('subscribed').length === 2);
  const first = await fetch(`${gateway.url}/poll?topic=a`);
  const cursor = first.headers.get('sluice-cursor');
  const poll = fetch(`${gateway.url}/poll?topic=a&cursor=${cursor}`);
  const publishing = await RawSocket.open(gateway.port);
  const whole = publishRequest(body);
  await publishing.send(whole.slice(0, -5));
  await gateway.post('/api/publish', body);
  const answered = await poll;
  const parked = answered.headers.get('sluice-cursor');
  const waiting = fetch(`${gateway.url}/poll?topic=a&cursor=${parked}`);
  await expect.poll(() => gateway.metric('sluice_connections')).toBe(32);

  const closed = gateway.close();
  // The others still have a second.
  expect((await clients[0]?.end())?.code).toBe(4000);
  const ready = await fetch(`${gateway.url}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([
    503,
    { error: { details: { checks: { gateway: 'draining' } } } },
  ]);
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  const refused = await fetch(`${gateway.url}/ws`);
  expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'shutting_down' } }]);
  expect(refused.headers.get('retry-after')).toBe('1');
  const published = await gateway.post('/api/publish', body.replace('"a"', '"b"'));
  expect([published.status, await published.json()]).toMatchObject([200, { offset: 1 }]);

  for (const client of clients) expect(await client.end()).toEqual({ code: 4000, reason: 'going_away' });
  await stream.untilEnded();
  expect(stream.events.at(-1)?.event).toBe('goingAway');
  const last = (await (await waiting).json()) as { events: Record<string, unknown>[]; cursor: string };
  expect(last.events.map(({ type }) => type)).toContain('goingAway');
  await publishing.send(whole.slice(-5));
  expect(await publishing.answer()).toMatchObject({ status: 200 });
  await closed;
  await expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow();
});

test('a poll that waits gets its publications once, however the gateway ends it', async () => {
  const gateway = await startGateway();
  const first = await fetch(`${gateway.url}/poll?topic=a`);
  const path = `/poll?topic=a&cursor=${first.headers.get('sluice-cursor')}`;
  const waiting = fetch(gateway.url + path);
  await expect.poll(() => gateway.metric('sluice_connections')).toBe(1);
  const { id } = (
    (await (await fetch(`${gateway.url}/api/connections`)).json()) as { connections: { id: string }[] }
  ).connections[0]!;
  const publishing = gateway.post('/api/publish', body);
  await gateway.post(`/api/connections/${id}/disconnect`, '{}');
  await publishing;
  const answer = await waiting;
  const { events, cursor } = (await answer.json()) as { events: Record<string, unknown>[]; cursor: string };
  const next = await fetch(`${gateway.url}/poll?topic=a&timeoutSeconds=0&cursor=${cursor}`);
  const more = ((await next.json()) as { events: Record<string, unknown>[] }).events;
  expect([...events, ...more].flatMap(publicationsOf).map(({ offset }) => offset)).toEqual([1]);
  await gateway.close();
});
