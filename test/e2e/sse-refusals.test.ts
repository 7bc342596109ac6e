import { describe, expect, test } from 'vitest';
import { startGateway } from '../support/gateway.ts';
import { RawSocket } from '../support/raw-socket.ts';
import { gatewayOfFile } from '../support/sdk.ts';
import { SseClient, type SseOptions } from '../support/sse-client.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const gateway = gatewayOfFile({
  tokenSecret,
  tokenClockToleranceSeconds: 0,
  apiKeys: [apiKey],
  connectionsMaxPerUser: 2,
  handshakesPerSecondPerIp: 1000,
  connectionsMaxPerIp: 200,
});

const reader = [{ pattern: 'news:*', allow: ['subscribe'] }];

async function open(query: string, more: Partial<SseOptions> = {}): Promise<SseClient> {
  return SseClient.open({ port: gateway.port, path: `/sse?${query}`, ...more });
}

async function refusal(query: string, more: Partial<SseOptions> = {}): Promise<[number, string]> {
  const client = await open(query, more);
  await client.untilEnded();
  return [client.status, client.events[0]?.event ?? ''];
}

describe('a refusal that is final has its status', () => {
  test('without a credential, with a wrong one, and for a topic that the token does not permit', async () => {
    const token = await signToken({ sub: 'ann', topics: reader });
    const expired = await signToken({ sub: 'ann', topics: reader }, { expiresIn: 1 });
    expect(await refusal('topic=news:a')).toEqual([401, '']);
    expect(await refusal('topic=news:a&token=wrong')).toEqual([401, '']);
    expect(await refusal(`topic=news:a&token=${expired}`)).toEqual([401, '']);
    expect(await refusal(`topic=secret&token=${token}`)).toEqual([403, '']);
  });

  test.each([
    ['a name that is none', 'topic=a%20b', 400],
    ['a parameter that is not known', 'topics=a', 400],
    ['a parameter that comes twice', 'topic=a&last=1&last=2', 400],
    ['a filter that is not JSON', 'topic=a&filter=level', 400],
    ['a filter that is malformed', 'topic=a&filter={"op":"eq"}', 400],
    ['subscriptions that are no array', 'subscriptions={}', 400],
    ['an interval that is no number', 'topic=a&intervalMs=soon', 400],
    ['a cursor that is too long', `topic=a&cursor=${'a'.repeat(1025)}`, 400],
    ['names for events that are not known', 'topic=a&events=all', 400],
  ])('of %s', async (_, query, status) => {
    expect(await refusal(query, { headers: { 'x-api-key': apiKey } })).toEqual([status, '']);
  });

  test('of bodies that are not JSON, too long, or of another type', async () => {
    const post = (body: string, type = 'application/json') =>
      gateway.post('/sse', body, { 'x-api-key': apiKey, 'content-type': type }).then(({ status }) => status);
    expect(await post('{')).toBe(400);
    expect(await post('{"topic": 1}')).toBe(400);
    expect(await post('{}', 'text/plain')).toBe(415);
    expect(await post(`{"topic": "${'a'.repeat(1_100_000)}"}`)).toBe(413);
  });

  test('but one topic that is refused beside others is told in its result', async () => {
    const token = await signToken({ sub: 'bob', topics: reader });
    const client = await open(`topic=news:a&topic=secret&token=${token}`);
    await client.until(() => client.of('subscribed').length === 2);
    expect(client.of('subscribed')[1]).toMatchObject({
      results: [{ topic: 'news:a' }, { topic: 'secret', error: { code: 'forbidden' } }],
    });
    client.close();
  });
});

describe('a refusal that passes is a stream that ends', () => {
  test('at the cap of the user, whose streams count as their WebSockets do', async () => {
    const token = await signToken({ sub: 'eve', topics: reader });
    const streams = [await open(`topic=news:a&token=${token}`), await open(`topic=news:a&token=${token}`)];
    const third = await open(`topic=news:a&token=${token}`);
    await third.untilEnded();
    expect([third.status, third.response.headers['content-type']]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
    ]);
    expect(third.events.map(({ event }) => event)).toEqual(['error']);
    expect(third.of('error')[0]).toMatchObject({ code: 'too_many_connections_of_user', retry: true });
    expect(third.parser.retryMs).toBe(5000);
    streams[0]?.close();
    await expect
      .poll(async () => {
        const again = await open(`topic=news:a&token=${token}`);
        again.close();
        return again.parser.retryMs === 5000 ? 'refused' : 'open';
      })
      .toBe('open');
    streams[1]?.close();
  });

  test('while the gateway drains, and streams that are open are told to come back', async () => {
    const draining = await startGateway({ tokenSecret, shutdownGraceSeconds: 1 });
    const token = await signToken({ sub: 'ann', topics: reader });
    const client = await SseClient.open({ port: draining.port, path: `/sse?topic=news:a&token=${token}` });
    await client.until(() => client.of('subscribed').length === 2);
    await draining.close();
    await client.untilEnded();
    expect(client.events.at(-1)?.event).toBe('goingAway');
    expect(client.parser.retryMs).toBe(client.of('goingAway')[0]?.['reconnectDelayMs']);
    expect(client.complete).toBe(true);
  });
});

test('a stream whose token expires is told so, and ends', async () => {
  const expiresIn = Math.floor(Date.now() / 1000) + 5;
  const token = await signToken({ sub: 'tim', topics: reader }, { expiresIn });
  const client = await open(`topic=news:a&token=${token}`);
  await client.until(() => client.of('subscribed').length === 2);
  expect(client.of('connected')[0]).toMatchObject({ user: 'tim' });
  await client.untilEnded();
  expect(client.events.at(-1)?.event).toBe('expired');
  expect(client.complete).toBe(true);
});

test('a user hears of what is theirs', async () => {
  const token = await signToken({ sub: 'alice@example.org' });
  const client = await open('', { headers: { authorization: `Bearer ${token}` } });
  await client.until(() => client.of('subscribed').length === 2);
  const fields = { topic: 'user:alice@example.org', type: 'e', data: 'for alice' };
  await gateway.post('/api/publish', JSON.stringify(fields), { 'x-api-key': apiKey });
  await client.until(() => client.publications.length === 1);
  expect(client.publications[0]?.data).toBe('for alice');
  client.close();
});

test('a client that sends its next request while its stream is open is closed, and nothing else', async () => {
  const socket = await RawSocket.open(gateway.port);
  const request = `GET /sse?topic=news:a HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${apiKey}\r\n\r\n`;
  await socket.send(request);
  await socket.until((text) => text.includes('event: subscribed'));
  await socket.send(request);
  await expect.poll(() => socket.ended).toBe(true);
  const client = await open('topic=news:a', { headers: { 'x-api-key': apiKey } });
  await client.until(() => client.of('subscribed').length === 2);
  client.close();
});

test('a preflight allows a page of a listed origin to send its cursor and its token', async () => {
  const answer = await fetch(`${gateway.url}/sse`, { method: 'OPTIONS' });
  expect([answer.status, answer.headers.get('allow')]).toEqual([200, 'GET, POST, OPTIONS']);
});
