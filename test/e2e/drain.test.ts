import { expect, test, vi } from 'vitest';
import { Broker } from '../../src/topics/broker.ts';
import { startGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { publishRequest, RawSocket } from '../support/raw-socket.ts';
import { publicationsOf, SseClient } from '../support/sse-client.ts';

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
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

  const requests = [get('/readyz'), get('/healthz'), get('/ws'), publishRequest(body.replace('"a"', '"b"'))];
  const asking = await Promise.all(requests.map(() => RawSocket.open(gateway.port)));
  const closed = gateway.close();
  // All in the turn in which the drain begins, and most clients are told in later ones.
  for (const [i, request] of requests.entries()) void asking[i]!.send(request);
  const [ready, healthy, refused, published] = await Promise.all(asking.map((each) => each.answer()));
  // A balancer sends no further request over a connection that is about to be closed.
  for (const answer of [ready, healthy, refused, published])
    expect(answer!.headers.get('connection')).toBe('close');
  const error = ({ body: text }: { body: string }) => (JSON.parse(text) as { error: unknown }).error;
  expect(ready!.status).toBe(503);
  expect(error(ready!)).toMatchObject({ details: { checks: { gateway: 'draining' } } });
  expect(healthy!.status).toBe(200);
  expect(refused!.status).toBe(503);
  // After the end of the drain, a second for the restart, and within the 2 s over which clients are spread.
  expect(Number(refused!.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(Number(refused!.headers.get('retry-after'))).toBeLessThanOrEqual(4);
  expect(error(refused!)).toMatchObject({ code: 'shutting_down' });
  expect([published!.status, JSON.parse(published!.body)]).toMatchObject([200, { offset: 1 }]);

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

test('a request that does not end is waited for no longer than shutdownGraceSeconds', async () => {
  const gateway = await startGateway({ shutdownGraceSeconds: 1 });
  const publishing = await RawSocket.open(gateway.port);
  await publishing.send(publishRequest(body).slice(0, -5));
  await expect.poll(() => gateway.metric('sluice_http_connections')).toBeGreaterThan(0);
  const beganMs = performance.now();
  await gateway.close();
  // A tenth of it would be enough on a machine with time.
  expect(performance.now() - beganMs).toBeLessThan(40_000);
});

test('a request that comes over a kept connection just before the gateway closes it is answered', async () => {
  const gateway = await startGateway();
  const balancer = await RawSocket.open(gateway.port);
  await balancer.send(get('/healthz'));
  const { end } = await balancer.answer();
  const { close } = Broker.prototype;
  const closing = vi.spyOn(Broker.prototype, 'close').mockImplementationOnce(async function (this: Broker) {
    await close.call(this);
    void balancer.send(get('/healthz'));
  });
  await gateway.close();
  closing.mockRestore();
  const { status, headers } = await balancer.answer(end);
  expect([status, headers.get('connection')]).toEqual([503, 'close']);
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
