import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { pollReply } from '../../src/api/stream-request.ts';
import { JsonClient } from '../support/json-client.ts';
import { upTo } from '../support/numbers.ts';
import { opened } from '../support/opened.ts';
import { gatewayOfFile } from '../support/sdk.ts';
import { publicationsOf, SseClient } from '../support/sse-client.ts';
import { newFile } from '../support/temporary.ts';

const gateway = gatewayOfFile(
  {
    connectionsMaxPerIp: 50,
    handshakesPerSecondPerIp: 60,
    httpConnectionsPerSecondPerIp: 10_000,
    requestsMaxBytesPerClient: '1MiB',
    bodyMaxBytes: '1MiB',
  },
  newFile('sluice.yaml', 'namespaces: { state: { mode: state } }\n'),
);

/** What `GET /openapi.json` says of a 200, and nothing else. */
const described = z.strictObject(pollReply.shape);

interface Answer {
  readonly status: number;
  readonly cursor: string;
  readonly events: Record<string, unknown>[];
}

async function poll(query: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(`${gateway.url}/poll?${query}`, init);
  const text = await answer.text();
  const body = text === '' ? { events: [] } : (JSON.parse(text) as { events: Record<string, unknown>[] });
  if (answer.status === 200) described.parse(body);
  return { status: answer.status, cursor: answer.headers.get('sluice-cursor') ?? '', events: body.events };
}

const publish = (topic: string, data: unknown) => gateway.publish({ topic, type: 'e', data });

const dataOf = ({ events }: Answer) => events.flatMap(publicationsOf).map(({ data }) => data);

async function connections(topic: string): Promise<{ id: string; transport: string }[]> {
  const answer = await fetch(`${gateway.url}/api/connections?topic=${topic}`);
  return ((await answer.json()) as { connections: { id: string; transport: string }[] }).connections;
}

test('a client between two polls holds no unsent bytes', async () => {
  await poll('topic=between');
  expect(await gateway.metric('sluice_backpressure_bytes')).toBe(0);
});

test('the first poll says what it is subscribed to; the next waits for the first publication', async () => {
  const first = await poll('topic=first&topic=firsts:*');
  expect(first.status).toBe(200);
  expect(first.events.map(({ type }) => type)).toEqual(['connected', 'subscribed', 'subscribed']);
  const waiting = poll(`topic=first&topic=firsts:*&cursor=${first.cursor}`);
  await publish('firsts:a', 1);
  const second = await waiting;
  expect(dataOf(second)).toEqual([1]);
  await publish('first', 2);
  await publish('firsts:b', 3);
  const rest: unknown[] = [];
  for (let { cursor } = second; rest.length < 2; ) {
    const next = await poll(`topic=first&topic=firsts:*&cursor=${cursor}`);
    rest.push(...dataOf(next));
    ({ cursor } = next);
  }
  expect(rest).toEqual([2, 3]);
});

test('a poll that has waited long enough gets 204 and the cursor', async () => {
  const first = await poll('topic=quiet');
  const none = await poll(`topic=quiet&cursor=${first.cursor}&timeoutSeconds=0`);
  expect([none.status, none.events]).toEqual([204, []]);
  await publish('quiet', 1);
  expect(dataOf(await poll(`topic=quiet&cursor=${none.cursor}&timeoutSeconds=0`))).toEqual([1]);
  const started = performance.now();
  const waited = await poll(`topic=quiet&cursor=${none.cursor}&timeoutSeconds=1`);
  expect(dataOf(waited)).toEqual([1]);
  const late = await poll(`topic=quiet&cursor=${waited.cursor}&timeoutSeconds=1`);
  expect(late.status).toBe(204);
  expect(performance.now() - started).toBeGreaterThan(900);
});

test('a client that goes on in another session, as polls that come to another node do, waits for news there', async () => {
  await publish('moved', 0);
  const first = await poll('topic=moved');
  const { session } = first.events[0] as { session: string };
  const ended = () => gateway.post(`/api/connections/${session}/disconnect`, '{}');
  expect((await ended()).status).toBe(200);
  const waiting = poll(`topic=moved&cursor=${first.cursor}`);
  await expect.poll(() => connections('moved')).toHaveLength(1);
  await publish('moved', 1);
  const { events, cursor } = await waiting;
  expect(events.map(({ type }) => type)).toEqual(['connected', 'subscribed', 'subscribed', 'e']);
  const [{ id } = { id: '' }] = await connections('moved');
  await gateway.post(`/api/connections/${id}/disconnect`, '{}');
  const none = await poll(`topic=moved&cursor=${cursor}&timeoutSeconds=0`);
  expect(none.events.map(({ type }) => type)).toEqual(['connected', 'subscribed', 'subscribed']);
});

test('a client that goes on in another session, and was not told of it yet, is excepted by the one that it knows', async () => {
  await publish('own', 0);
  const first = await poll('topic=own');
  const { session } = first.events[0] as { session: string };
  await gateway.post(`/api/connections/${session}/disconnect`, '{}');
  const had: unknown[] = [];
  let waiting = poll(`topic=own&cursor=${first.cursor}`);
  await expect.poll(() => connections('own')).toHaveLength(1);
  const own = { topic: 'own', type: 'e', data: 'own', except: session };
  expect((await gateway.post('/api/publish', JSON.stringify(own))).status).toBe(200);
  await publish('own', 'other');
  while (!had.includes('other')) {
    const { events, cursor } = await waiting;
    had.push(...events.flatMap(publicationsOf).map(({ data }) => data));
    waiting = poll(`topic=own&cursor=${cursor}&timeoutSeconds=1`);
  }
  await waiting;
  expect(had).toEqual(['other']);
});

test('a response to a client that was away fills the buffer, however large the publications are', async () => {
  const first = await poll('topic=large');
  const data = 'x'.repeat(12_000);
  const publications = Array.from({ length: 40 }, () => ({ topic: 'large', type: 'e', data }));
  expect((await gateway.post('/api/publish/batch', JSON.stringify(publications))).status).toBe(200);
  const sizes: number[] = [];
  let { cursor } = first;
  for (let received = 0; received < publications.length; ) {
    const answer = await poll(`topic=large&cursor=${cursor}`);
    ({ cursor } = answer);
    received += dataOf(answer).length;
    sizes.push(JSON.stringify(answer.events).length);
  }
  const limitBytes = 64 * 1024;
  expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(limitBytes);
  expect(Math.max(...sizes)).toBeLessThan(limitBytes + 16 * 1024 + 2 * data.length);
});

test('a response has no more than its buffer, and a frame, of a burst that comes while its poll waits', async () => {
  const topics = upTo(8).map((n) => `burst:${n}`);
  const query = topics.map((topic) => `topic=${topic}`).join('&');
  let { cursor } = await poll(query);
  const waiting = poll(`${query}&cursor=${cursor}`);
  await expect.poll(() => connections('burst:1')).toHaveLength(1);
  const data = 'x'.repeat(60_000);
  await gateway.post('/api/publish/batch', JSON.stringify(topics.map((topic) => ({ topic, data }))));
  const got: unknown[] = [];
  for (let answer = await waiting; ; answer = await poll(`${query}&cursor=${cursor}&timeoutSeconds=0`)) {
    cursor = answer.cursor;
    const publications = answer.events.flatMap(publicationsOf);
    expect(publications.length).toBeLessThanOrEqual(3);
    got.push(...publications.map(({ topic }) => topic));
    if (got.length >= topics.length) break;
  }
  expect(got.sort()).toEqual(topics);
});

test('the polls of a client are one connection, which stays in its topics between them', async () => {
  const watcher = await opened(JsonClient.open(gateway.wsUrl));
  await watcher.call({ type: 'subscribe', topic: 'room:2', presence: true });
  let { cursor, events } = await poll('topic=room:2');
  const { session } = events[0] as { session: string };
  for (let i = 0; i < 5; i++) ({ cursor } = await poll(`topic=room:2&cursor=${cursor}&timeoutSeconds=0`));
  const listed = (await connections('room:2')).filter(({ transport }) => transport === 'poll');
  expect(listed.map(({ id }) => id)).toEqual([session]);
  await watcher.call({ type: 'ping' });
  const told = watcher.frames.filter(({ type }) => type === 'joined' || type === 'left');
  expect(told.map(({ type }) => type)).toEqual(['joined']);
  await gateway.post(`/api/connections/${session}/disconnect`, '{}');
  expect((await connections('room:2')).filter(({ transport }) => transport === 'poll')).toEqual([]);
});

test('polling takes no handshake but for the first poll', async () => {
  let { cursor } = await poll('topic=often');
  for (let i = 0; i < 90; i++) {
    const next = await poll(`topic=often&cursor=${cursor}&timeoutSeconds=0`);
    expect(next.status).toBe(204);
    ({ cursor } = next);
  }
});

test('polling by POST takes no handshake, and a client that asks for other topics keeps its one connection', async () => {
  const post = (subscriptions: object[], cursor?: string) =>
    poll('', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ subscriptions, cursor, timeoutSeconds: 0 }),
    });
  let { cursor } = await post([{ topic: 'posts:0' }]);
  for (let i = 0; i < 90; i++) ({ cursor } = await post([{ topic: 'posts:0' }], cursor));
  for (let i = 1; i < 5; i++) {
    await publish(`posts:${i - 1}`, i);
    const known = { topic: `posts:${i - 1}`, cursor };
    const other = await post([known, { topic: `posts:${i}` }]);
    expect(dataOf(other)).toEqual([i]);
    ({ cursor } = other);
  }
  expect(await connections('posts:0')).toEqual([]);
  expect((await connections('posts:4')).length).toBe(1);
});

test('a response that was lost is sent again', async () => {
  const first = await poll('topic=lost');
  await publish('lost', 1);
  for (let i = 0; i < 3; i++) {
    const again = await poll(`topic=lost&cursor=${first.cursor}`);
    expect(dataOf(again)).toEqual([1]);
  }
  expect((await connections('lost')).length).toBe(1);
});

test('a poll that waits is answered with nothing when its client polls again, or goes on when it is cut', async () => {
  const first = await poll('topic=twice');
  const cut = new AbortController();
  const gone = poll(`topic=twice&cursor=${first.cursor}`, { signal: cut.signal }).catch(() => 'cut');
  const one = poll(`topic=twice&cursor=${first.cursor}`);
  const two = poll(`topic=twice&cursor=${first.cursor}`);
  cut.abort();
  expect(await gone).toBe('cut');
  const early = await Promise.race([one, two]);
  expect([early.status, early.cursor]).toEqual([204, first.cursor]);
  await publish('twice', 1);
  const answers = await Promise.all([one, two]);
  expect(answers.flatMap(dataOf)).toEqual([1]);
});

test('takes lists by POST, and refuses what no stream takes with a status', async () => {
  await publish('posted', 1);
  const init = (body: unknown) => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const first = await poll('', init({ topic: ['posted'], last: 1 }));
  await publish('posted', 2);
  const next = await poll('', init({ topic: ['posted'], last: 1, cursor: first.cursor }));
  expect([first, next].flatMap(dataOf)).toEqual([1, 2]);
  expect((await poll('topic=a%20b')).status).toBe(400);
  expect((await poll('topic=a&timeoutSeconds=61')).status).toBe(400);
  expect((await poll('topic=a&events=type')).status).toBe(400);
  expect((await poll('', { method: 'POST', body: '{}' })).status).toBe(403);
});

test('polls of a pattern repeat nothing that its other subscribers still wait for', async () => {
  const stream = await opened(SseClient.open({ port: gateway.port, path: '/sse?topic=beside:*' }));
  let { cursor } = await poll('topic=beside:*');
  const seen: unknown[] = [];
  const publishing = (async () => {
    for (const n of upTo(100)) await publish('beside:a', n);
  })();
  while (seen.length < 100) {
    const answer = await poll(`topic=beside:*&cursor=${cursor}`);
    seen.push(...dataOf(answer));
    ({ cursor } = answer);
  }
  await publishing;
  expect(seen).toEqual(upTo(100));
  await stream.until(() => stream.publications.length === 100);
});

test('polls while much is published lose nothing, repeat nothing, and keep the order', async () => {
  const query = 'topic=much:a&topic=muchs:*';
  let { cursor } = await poll(query);
  const topics = ['much:a', 'muchs:1', 'muchs:2'];
  const each = 200;
  const publishing = (async () => {
    for (let n = 1; n <= each; n++) {
      const items = topics.map((topic) => ({ topic, type: 'e', data: n }));
      await gateway.post('/api/publish/batch', JSON.stringify(items));
    }
  })();
  const seen = new Map<string, unknown[]>(topics.map((topic) => [topic, []]));
  const count = () => [...seen.values()].reduce((sum, list) => sum + list.length, 0);
  for (let polls = 0; count() < each * topics.length; polls++) {
    // Now and then an answer is lost.
    if (polls % 5 === 4) await poll(`${query}&cursor=${cursor}&timeoutSeconds=0`);
    const answer = await poll(`${query}&cursor=${cursor}&timeoutSeconds=5`);
    expect(answer.status).toBe(200);
    for (const { topic, data } of answer.events.flatMap(publicationsOf)) seen.get(topic)?.push(data);
    ({ cursor } = answer);
  }
  await publishing;
  expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(topics.map((topic) => [topic, upTo(each)])));
});

describe('the values of state topics', () => {
  const fill = async (topic: string, values: number, bytes: number) => {
    const items = upTo(values).map((n) => ({ topic, type: 'e', key: String(n), data: 'x'.repeat(bytes) }));
    expect((await gateway.post('/api/publish/batch', JSON.stringify(items))).status).toBe(200);
  };
  const valuesIn = ({ events }: Answer) =>
    events.filter(({ type }) => type === 'snapshot').flatMap(publicationsOf).length;
  const isLast = ({ events }: Answer) => events.at(-1)?.['last'] === true;

  test('come in one response, as the next poll may come to another gateway', async () => {
    await fill('state:one', 400, 1000);
    const answer = await poll('topic=state:one');
    expect([valuesIn(answer), isLast(answer)]).toEqual([400, true]);
  });

  test('of more topics than a cursor can name too', async () => {
    const items = upTo(60).map((n) => ({ topic: `state:many-${n}`, key: 'k', data: 'x'.repeat(2000) }));
    await gateway.post('/api/publish/batch', JSON.stringify(items));
    expect(valuesIn(await poll('topic=state:many-*'))).toBe(60);
  });

  test('that take more than half of what a client may leave unread come in several responses', async () => {
    await fill('state:large', 500, 1000);
    await fill('state:large', 900, 1000);
    const first = await poll('topic=state:large');
    const sent = valuesIn(first);
    expect(sent).toBeGreaterThan(400);
    expect([sent < 700, isLast(first)]).toEqual([true, false]);
    const second = await poll(`topic=state:large&cursor=${first.cursor}`);
    expect([sent + valuesIn(second), isLast(second)]).toEqual([900, true]);
    expect(await gateway.metric('sluice_http_held_bytes')).toBe(0);
  });
});

test('a poll that names the former session of its client takes the place of that at once', async () => {
  const first = await poll('topic=former');
  const [{ session }] = first.events as [{ session: string }];
  await poll('topic=former');
  expect(await connections('former')).toHaveLength(2);
  await poll(`topic=former&former=${session}`);
  const left = await connections('former');
  expect([left.length, left.some(({ id }) => id === session)]).toEqual([2, false]);
  // One that is gone already, or never was, is passed over.
  expect((await poll(`topic=other&former=${session}`)).status).toBe(200);
  expect((await poll(`topic=other&former=${'x'.repeat(100)}`)).status).toBe(200);
  expect((await poll(`topic=other&former=${'x'.repeat(101)}`)).status).toBe(400);
});
