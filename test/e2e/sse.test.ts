import { describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { range } from '../support/numbers.ts';
import { opened } from '../support/opened.ts';
import { RawSocket } from '../support/raw-socket.ts';
import { gatewayOfFile } from '../support/sdk.ts';
import { SseClient, type SseOptions } from '../support/sse-client.ts';
import { newFile, newFolder } from '../support/temporary.ts';

const namespaces = 'namespaces: { state: { mode: state }, short: { topicHistoryMaxPublications: 3 } }';
const gateway = gatewayOfFile(
  { connectionsMaxPerIp: 200, handshakesPerSecondPerIp: 10_000, httpConnectionsPerSecondPerIp: 10_000 },
  newFile('sluice.yaml', namespaces),
);

function open(query: string, more: Partial<SseOptions> = {}): Promise<SseClient> {
  return opened(SseClient.open({ port: gateway.port, path: `/sse?${query}`, ...more }));
}

/** Open, and told what it is subscribed to. */
async function stream(query: string, more: Partial<SseOptions> = {}): Promise<SseClient> {
  const client = await open(query, more);
  await client.until(() => client.of('subscribed').length === 2);
  return client;
}

/** The chunks of a response that have come with their ends. */
function wholeChunks(response: string): string {
  let at = response.indexOf('\r\n\r\n') + 4;
  let body = '';
  for (;;) {
    const lineEnd = response.indexOf('\r\n', at);
    const end = lineEnd + 2 + Number.parseInt(response.slice(at, lineEnd), 16);
    if (lineEnd < 0 || response.length < end + 2) return body;
    body += response.slice(lineEnd + 2, end);
    at = end + 2;
  }
}

const publish = (topic: string, data: unknown, more: Record<string, unknown> = {}) =>
  gateway.publish({ topic, type: 'e', data, ...more });

const dataOf = (client: SseClient) => client.publications.map(({ data }) => data);

describe('a stream of Server-Sent Events', () => {
  test('greets, says what it is subscribed to, and carries the frames of many topics', async () => {
    const client = await stream('topic=greet&topic=greets:*');
    expect(client.status).toBe(200);
    expect(client.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'content-encoding': 'identity',
      'x-accel-buffering': 'no',
    });
    expect(client.parser.retryMs).toBeGreaterThanOrEqual(1000);
    expect(client.events.map(({ event }) => event)).toEqual(['connected', 'subscribed', 'subscribed']);
    expect(client.of('subscribed')[1]).toMatchObject({
      results: [{ topic: 'greet' }, { topic: 'greets:*' }],
    });
    await publish('greet', 1);
    await publish('greets:a', 'two\nlines');
    await client.until(() => client.publications.length === 2);
    expect(client.publications).toMatchObject([
      { topic: 'greet', offset: 1, data: 1 },
      { topic: 'greets:a', offset: 1, data: 'two\nlines' },
    ]);
    expect(client.events.at(-1)).toMatchObject({ event: 'message' });
  });

  test('reaches a client that reads no chunk before its end, as soon as an event is there', async () => {
    const socket = await opened(RawSocket.open(gateway.port));
    await socket.send('GET /sse?topic=whole HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await socket.until((text) => wholeChunks(text).includes('"topic":"whole"'));
    for (const data of ['first', 'second', 'x'.repeat(30_000)]) {
      await publish('whole', data);
      await socket.until((text) => new RegExp(`"data":"${data}".*\n\n`).test(wholeChunks(text)));
    }
    const batch = Array.from({ length: 3 }, () => ({ topic: 'whole', type: 'e', data: 'batched' }));
    await gateway.publish(batch);
    await socket.until((text) => wholeChunks(text).split('"data":"batched"').length === 4);
    // The next heartbeat would bring it, too.
    expect(socket.text).not.toContain(': ping');
  });

  test('hands over payloads with line ends of any kind as they were meant', async () => {
    const client = await stream('topic=lines');
    await gateway.post('/api/publish', '{"topic":"lines","type":"e","data":{"a":1,\n"b":\r\n2,\r"c":3}}');
    await client.until(() => client.publications.length === 1);
    expect(dataOf(client)).toEqual([{ a: 1, b: 2, c: 3 }]);
  });

  test('names events by the types of their publications where it is asked to', async () => {
    const client = await stream('topic=named&events=type');
    await publish('named', 1, { type: 'stats_update' });
    await client.until(() => client.publications.length === 1);
    expect(client.events.at(-1)?.event).toBe('stats_update');
  });

  test('applies filter, last and interval to all topics, and others to those that bring their own', async () => {
    for (const level of ['low', 'high', 'low', 'high']) {
      for (const topic of ['tuned:a', 'tuned:b']) await publish(topic, level, { tags: { level } });
    }
    const filter = encodeURIComponent(JSON.stringify({ op: 'eq', tag: 'level', value: 'high' }));
    const own = encodeURIComponent(JSON.stringify([{ topic: 'tuned:b', last: 1 }]));
    const client = await stream(`topic=tuned:a&filter=${filter}&last=3&intervalMs=60&subscriptions=${own}`);
    await client.until(() => client.publications.length === 3);
    expect(client.publications).toMatchObject([
      { topic: 'tuned:a', offset: 2 },
      { topic: 'tuned:a', offset: 4 },
      { topic: 'tuned:b', offset: 4 },
    ]);
    expect(client.of('subscribed')[1]).toMatchObject({ results: [{ intervalMs: 100 }, {}] });
  });

  test('takes the same by POST', async () => {
    await publish('posted', 1);
    const body = { topic: ['posted', 'posted:*'], last: 5, subscriptions: [{ topic: 'other' }] };
    const client = await open('', { body });
    await client.until(() => client.publications.length === 1);
    const [, subscribed] = client.of('subscribed') as { results: { topic: string }[] }[];
    expect(subscribed?.results.map(({ topic }) => topic)).toEqual(['posted', 'posted:*', 'other']);
  });

  test('is listed, can be ended by an operator, and is in the metrics', async () => {
    const client = await stream('topic=listed');
    const { session } = client.of('connected')[0] as { session: string };
    const list = async () => {
      const answer = await fetch(`${gateway.url}/api/connections?topic=listed`);
      return ((await answer.json()) as { connections: { id: string; transport: string }[] }).connections;
    };
    expect(await list()).toMatchObject([{ id: session, transport: 'sse', codec: 'json' }]);
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(metrics).toMatch(/sluice_connections\{transport="sse"\} [1-9]/);
    await gateway.post(`/api/connections/${session}/disconnect`, '{}');
    await client.untilEnded();
    expect(client.events.at(-1)?.event).toBe('goingAway');
    expect(client.parser.retryMs).toBe(86_400_000);
    expect(await list()).toEqual([]);
  });

  test('is present in its topics, and leaves them when it is cut', async () => {
    const watcher = await opened(JsonClient.open(gateway.wsUrl));
    await watcher.call({ type: 'subscribe', topic: 'room:1', presence: true });
    const client = await stream('topic=room:1');
    const { session } = client.of('connected')[0] as { session: string };
    const told = (type: string) =>
      watcher.until(
        (frame) => frame.type === type && (frame['member'] as { session: string }).session === session,
      );
    await told('joined');
    client.close();
    await told('left');
  });

  test('gets broadcasts, and those it missed when it resumes', async () => {
    const client = await stream('topic=none');
    const broadcast = (data: number) => gateway.post('/api/broadcast', JSON.stringify({ type: 'e', data }));
    await broadcast(1);
    await client.until(() => client.publications.length === 1);
    client.close();
    await broadcast(2);
    const again = await open('topic=none', { headers: { 'last-event-id': client.parser.lastEventId } });
    await again.until(() => again.publications.length === 1);
    expect(dataOf(again)).toEqual([2]);
  });
});

describe('resuming by the cursor', () => {
  test('continues all topics after the last event, by header or query', async () => {
    const query = 'topic=resume&topic=resumes:*';
    const client = await stream(query);
    for (const n of [1, 2])
      for (const topic of ['resume', 'resumes:a']) await publish(topic, `${topic} ${n}`);
    await client.until(() => client.publications.length === 4);
    client.close();
    for (const n of [3, 4])
      for (const topic of ['resume', 'resumes:b']) await publish(topic, `${topic} ${n}`);
    const cursor = client.parser.lastEventId;
    for (const [suffix, more] of [
      ['', { headers: { 'last-event-id': cursor } }],
      [`&cursor=${cursor}`, {}],
      [`&lastEventId=${cursor}&last=10`, {}],
    ] as const) {
      const again = await open(query + suffix, more);
      await again.until(() => again.publications.length === 4);
      expect(dataOf(again)).toEqual(['resume 3', 'resume 4', 'resumes:b 3', 'resumes:b 4']);
      expect(again.of('gap')).toEqual([]);
    }
  });

  test('does not get what its former session was excepted from', async () => {
    const client = await stream('topic=own');
    const { session } = client.of('connected')[0] as { session: string };
    await publish('own', 'mine', { except: session });
    await publish('own', 'theirs');
    await client.until(() => client.publications.length === 1);
    client.close();
    await publish('own', 'mine too', { except: session });
    await publish('own', 'theirs too');
    const again = await open('topic=own', { headers: { 'last-event-id': client.parser.lastEventId } });
    await again.until(() => again.publications.length === 1);
    expect([...dataOf(client), ...dataOf(again)]).toEqual(['theirs', 'theirs too']);
  });

  test('of more topics than a cursor names loses nothing, and repeats by offset', async () => {
    const topics = range(0, 100).map((n) => `crowd:${n}`);
    const client = await stream('topic=crowd:*&intervalMs=100');
    const publishAll = async (data: number) => {
      const items = topics.map((topic) => ({ topic, type: 'e', data }));
      await gateway.publish(items);
    };
    for (const data of [1, 2]) await publishAll(data);
    await client.until(() => client.publications.length > 100);
    client.close();
    await publishAll(3);
    expect(client.events.every(({ id }) => id.length <= 1024)).toBe(true);
    const again = await open('topic=crowd:*&intervalMs=100', {
      headers: { 'last-event-id': client.parser.lastEventId },
    });
    const both = () => [...client.publications, ...again.publications];
    await again.until(() => new Set(both().map(({ topic, offset }) => `${topic} ${offset}`)).size === 300);
    for (const topic of topics) {
      const offsets = again.publications.filter((each) => each.topic === topic).map(({ offset }) => offset);
      expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
    }
    expect(again.of('gap')).toEqual([]);
  });

  test('names what is gone', async () => {
    const client = await stream('topic=short:a');
    await publish('short:a', 1);
    await client.until(() => client.publications.length === 1);
    client.close();
    for (const n of range(1, 8)) await publish('short:a', n);
    const again = await open('topic=short:a', { headers: { 'last-event-id': client.parser.lastEventId } });
    await again.until(() => again.publications.length === 3);
    expect(again.of('gap')).toMatchObject([
      { topic: 'short:a', offset: 5, recovered: false, missing: { after: 0, upto: 5 } },
    ]);
    expect(dataOf(again)).toEqual([6, 7, 8]);
  });

  test.each(['nonsense', 'Abcdefgh.1', 'Abcdefgh.1~12345678.1@s.12345678'])(
    'a cursor of another engine (%s) is a gap, and everything that is kept follows',
    async (cursor) => {
      await publish('foreign', 1);
      const client = await open(`topic=foreign&cursor=${cursor}`);
      await client.until(() => client.of('gap').length > 0 && client.publications.length > 0);
      expect(client.of('gap').map(({ topic }) => topic)).toContain('foreign');
    },
  );

  test('a client that continues with other topics gets the values of state topics', async () => {
    await publish('state:a', 'a', { key: 'k' });
    await publish('state:b', 'b', { key: 'k' });
    const client = await stream('topic=state:a');
    await client.until(() => client.publications.length === 1);
    client.close();
    const headers = { 'last-event-id': client.parser.lastEventId };
    const same = await stream('topic=state:a', { headers });
    await publish('state:a', 'later', { key: 'l' });
    await same.until(() => same.publications.length === 1);
    expect(dataOf(same)).toEqual(['later']);
    const wider = await open('topic=state:a&topic=state:b', { headers });
    await wider.until(() => wider.publications.length === 3);
    expect(dataOf(wider).sort()).toEqual(['a', 'b', 'later']);
  });

  test('a hundred cuts at any byte lose nothing, repeat nothing, and keep the order', async () => {
    const topics = ['cut:a', 'cut:b', 'slow', 'cuts:1', 'cuts:2', 'cuts:3'];
    const slow = encodeURIComponent(JSON.stringify([{ topic: 'slow', intervalMs: 50 }]));
    const query = `topic=cut:a&topic=cut:b&topic=cuts:*&subscriptions=${slow}`;
    const count = 600;
    const seen = new Map<string, unknown[]>(topics.map((topic) => [topic, []]));
    let random = 42;
    const next = (below: number) => {
      random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((random / 2 ** 31) * below);
    };
    let published = 0;
    // Where it begins is known before anything is published.
    const first = await stream(query);
    first.close();
    let cursor = first.parser.lastEventId;
    const publishing = (async () => {
      const sent = new Map<string, number>();
      while (published < count) {
        const items = Array.from({ length: 1 + next(8) }, () => {
          const topic = topics[next(topics.length)] as string;
          sent.set(topic, (sent.get(topic) ?? 0) + 1);
          published++;
          return { topic, type: 'e', data: sent.get(topic) };
        });
        await gateway.publish(items);
      }
      return sent;
    })();
    const total = () => [...seen.values()].reduce((sum, list) => sum + list.length, 0);
    let sent: Map<string, number> | undefined;
    void publishing.then((counts) => {
      sent = counts;
    });
    for (let cuts = 0; sent === undefined || total() < published; cuts++) {
      // The greeting has about 1000 characters.
      const cutAfter = cuts < 100 ? 900 + next(4000) : Number.POSITIVE_INFINITY;
      const client = await open(query, { headers: { 'last-event-id': cursor }, cutAfter });
      let taken = 0;
      await client
        .until(() => {
          for (const { data } of client.events.slice(taken)) {
            const frame = JSON.parse(data) as { messages?: { topic: string; data: unknown }[] };
            const flat = 'offset' in frame && 'timestamp' in frame ? [frame as never] : [];
            for (const each of frame.messages ?? flat)
              seen.get((each as { topic: string }).topic)?.push((each as { data: unknown }).data);
          }
          taken = client.events.length;
          return sent !== undefined && total() >= published;
        })
        .catch(() => undefined);
      cursor = client.parser.lastEventId || cursor;
      client.close();
    }
    const counts = await publishing;
    expect(Object.fromEntries(seen)).toEqual(
      Object.fromEntries(topics.map((topic) => [topic, range(0, counts.get(topic) ?? 0)])),
    );
  });
});

test('a stream resumes after the gateway was started again on the same data', async () => {
  const dataDir = newFolder();
  const query = 'topic=kept&topic=kepts:*';
  const first = await startGateway({ engine: 'lmdb', dataDir });
  const send = (to: TestGateway, topic: string, data: number) => to.publish({ topic, type: 'e', data });
  const client = await SseClient.open({ port: first.port, path: `/sse?${query}` });
  await client.until(() => client.of('subscribed').length === 2);
  await send(first, 'kept', 1);
  await send(first, 'kepts:a', 2);
  await client.until(() => client.publications.length === 2);
  client.close();
  await send(first, 'kept', 3);
  await first.close();
  const second = await startGateway({ engine: 'lmdb', dataDir });
  await send(second, 'kepts:a', 4);
  const headers = { 'last-event-id': client.parser.lastEventId };
  const again = await SseClient.open({ port: second.port, path: `/sse?${query}`, headers });
  await again.until(() => again.publications.length === 2);
  expect([...dataOf(client), ...dataOf(again)]).toEqual([1, 2, 3, 4]);
  expect(again.of('gap')).toEqual([]);
  again.close();
  await second.close();
});
