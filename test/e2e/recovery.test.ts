import { describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { range } from '../support/numbers.ts';
import { opened } from '../support/opened.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { gatewayOfTest } from '../support/sdk.ts';
import { newFile } from '../support/temporary.ts';

let gateway: TestGateway;

function connect(): Promise<JsonClient> {
  return opened(JsonClient.open(gateway.wsUrl));
}

const publish = (topic: string, fields: Record<string, unknown> = {}) =>
  gateway.publish({ topic, type: 'e', ...fields });

async function publishMany(topic: string, count: number) {
  for (let i = 1; i < count; i++) await publish(topic, { data: i - 1 });
  return publish(topic, { data: count - 1 });
}

async function subscribe(client: JsonClient, subscription: Record<string, unknown>): Promise<Frame> {
  const reply = await client.call({ type: 'subscribe', ...subscription });
  return (reply['results'] as Frame[])[0] as Frame;
}

const offsets = (publications: readonly Frame[]) => publications.map((publication) => publication['offset']);

/** What each frame of a topic covers, (after, upto], as a receiver must read it. */
function coverage(client: JsonClient, topic: string): [number, number][] {
  return client.frames
    .filter((frame) => frame['topic'] === topic && ('messages' in frame || 'timestamp' in frame))
    .filter(({ type }) => type !== 'snapshot' && type !== 'history')
    .map((frame) =>
      frame.type === 'batch'
        ? [frame['after'] as number, frame['upto'] as number]
        : [(frame['offset'] as number) - 1, frame['offset'] as number],
    );
}

/** Each begins where the last one ended. */
function expectSeamless(ranges: readonly [number, number][], from: number): void {
  let position = from;
  for (const [after, upto] of ranges) {
    expect(after).toBe(position);
    expect(upto).toBeGreaterThan(after);
    position = upto;
  }
}

describe('a subscription since a position', () => {
  it('gets what was missed, then what is new, without a seam and without a repeat', async () => {
    gateway = await gatewayOfTest();
    const { epoch } = await publishMany('t', 20);
    const client = await connect();
    const result = await subscribe(client, { topic: 't', since: { epoch, offset: 5 } });
    expect(result).toMatchObject({ epoch, offset: 5, recovered: true, mode: 'stream' });
    expect(result).not.toHaveProperty('missing');
    await publishMany('t', 5);
    expect(offsets(await client.count('t', 20))).toEqual(range(5, 25));
    expectSeamless(coverage(client, 't'), 5);
  });

  it('is counted apart from live batches: pages framed and deflated for all who come back', async () => {
    gateway = await gatewayOfTest({ commandsPerSecond: 1000 });
    const { epoch } = await publishMany('t', 1);
    for (let i = 0; i < 5; i++) await publish('t', { data: 'all alike '.repeat(200) });
    const [stays, comesBack] = [
      await ProtobufClient.open(gateway.wsUrl),
      await ProtobufClient.open(gateway.wsUrl),
    ];
    await stays.call('subscribe', { subscriptions: [{ topic: 't' }] });
    const since = { epoch: epoch as string, offset: 1 };
    for (let i = 0; i < 40; i++) {
      await comesBack.call('subscribe', { subscriptions: [{ topic: 't', since }] });
      await comesBack.call('unsubscribe', { topics: ['t'] });
    }
    await Promise.all([stays.close(), comesBack.close()]);
    const counted = ['shared_pages', 'shared_page_deflates', 'frames', 'deflates'].map((name) =>
      gateway.metric(`sluice_${name}_total`),
    );
    expect(await Promise.all(counted)).toEqual([1, 1, 0, 0]);
  });

  it('misses nothing while others go on publishing, however often it comes back', async () => {
    gateway = await gatewayOfTest({ handshakesPerSecondPerIp: 1000, commandsPerSecond: 100_000 });
    const publisher = await connect();
    let published = 0;
    let publishing = true;
    const publishes = (async () => {
      while (publishing) {
        // Some alone, some several in a turn, so that flat publications and batches both come.
        const burst = Array.from({ length: 1 + (published % 4) }, () =>
          publisher.call({ type: 'publish', topic: 't', event: 'e', data: ++published }),
        );
        for (const reply of await Promise.all(burst)) expect(reply.type).toBe('published');
      }
    })();
    const first = (await publisher.until(({ type }) => type === 'published'))['epoch'];
    const got: Frame[] = [];
    let position = 0;
    let repeats = 0;
    for (let connection = 0; connection < 40; connection++) {
      const client = await connect();
      const result = await subscribe(client, { topic: 't', since: { epoch: first, offset: position } });
      expect(result).toMatchObject({ recovered: true, offset: position });
      const more = await client.count('t', 1 + (connection % 30));
      client.socket.terminate();
      await client.end();
      const fresh = client.publications('t');
      expect(fresh.length).toBeGreaterThanOrEqual(more.length);
      repeats += fresh.filter((publication) => (publication['offset'] as number) <= position).length;
      expectSeamless(coverage(client, 't'), position);
      got.push(...fresh);
      position = fresh.at(-1)?.['offset'] as number;
    }
    publishing = false;
    await publishes;
    expect(offsets(got)).toEqual(range(0, position));
    expect(got.map((publication) => publication['data'])).toEqual(range(0, position));
    expect(repeats).toBe(0);
    expect(await gateway.metric('sluice_recoveries_total')).toBe(40);
  });

  it('that the ring has lost is told what is missing, and goes on from the oldest that is kept', async () => {
    gateway = await gatewayOfTest({ topicHistoryMaxPublications: 10 });
    const { epoch } = await publishMany('t', 25);
    const client = await connect();
    const result = await subscribe(client, { topic: 't', since: { epoch, offset: 3 } });
    expect(result).toMatchObject({ recovered: false, missing: { after: 3, upto: 15 }, offset: 15, epoch });
    expect(offsets(await client.count('t', 10))).toEqual(range(15, 25));
    // To the very edge nothing is missing.
    const edge = await connect();
    expect(await subscribe(edge, { topic: 't', since: { epoch, offset: 15 } })).toMatchObject({
      recovered: true,
      offset: 15,
    });
    expect(offsets(await edge.count('t', 10))).toEqual(range(15, 25));
    const beyond = await connect();
    expect(await subscribe(beyond, { topic: 't', since: { epoch, offset: 14 } })).toMatchObject({
      recovered: false,
      missing: { after: 14, upto: 15 },
    });
    const history = await client.call({ type: 'history', topic: 't', after: 3 });
    expect(history).toMatchObject({ after: 15, upto: 25, missing: { after: 3, upto: 15 } });
  });

  it('of an epoch that is gone is told so, and starts at the oldest that is kept', async () => {
    gateway = await gatewayOfTest();
    const old = await publishMany('t', 5);
    await gateway.close();
    gateway = await gatewayOfTest();
    const born = await publishMany('t', 7);
    expect(born['epoch']).not.toBe(old['epoch']);
    const client = await connect();
    const since = { epoch: old['epoch'], offset: 5 };
    const result = await subscribe(client, { topic: 't', since });
    expect(result).toMatchObject({ recovered: false, epoch: born['epoch'], offset: 0 });
    expect(result).not.toHaveProperty('missing');
    expect(offsets(await client.count('t', 7))).toEqual(range(0, 7));
    // Also of a topic without publications since.
    const unknown = await subscribe(await connect(), { topic: 'quiet', since });
    expect(unknown).toMatchObject({ recovered: false, epoch: '', offset: 0 });
  });
});

describe('a new subscription', () => {
  it('to a topic that holds nothing yet is told by reset where it begins', async () => {
    gateway = await gatewayOfTest();
    const client = await connect();
    expect(await subscribe(client, { topic: 'unborn' })).toMatchObject({ epoch: '', offset: 0 });
    const { epoch } = await publish('unborn', { data: 1 });
    expect(await client.count('unborn', 1)).toMatchObject([{ offset: 1, data: 1 }]);
    const reset = client.frames.findIndex(({ type }) => type === 'reset');
    expect(client.frames[reset]).toMatchObject({ topic: 'unborn', epoch, offset: 0 });
    expect(client.frames.findIndex((frame) => frame['offset'] === 1)).toBeGreaterThan(reset);
    // A client that was told the empty epoch has had nothing, and misses nothing.
    const again = await connect();
    const result = await subscribe(again, { topic: 'unborn', since: { epoch: '', offset: 0 } });
    expect(result).toMatchObject({ recovered: true, epoch });
    expect(offsets(await again.count('unborn', 1))).toEqual([1]);
  });

  it('to a state topic with more than a page gets them all, page by page', async () => {
    gateway = await gatewayOfTest({ batchMaxBytes: 4096, commandsPerSecond: 100_000 });
    const publisher = await connect();
    const pad = 'x'.repeat(500);
    const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`);
    await Promise.all(
      keys.map((key) => publisher.call({ type: 'publish', topic: 'server:big', event: 'e', key, data: pad })),
    );
    const client = await connect();
    await subscribe(client, { topic: 'server:big' });
    await client.until((frame) => frame.type === 'snapshot' && frame['last'] === true);
    const pages = client.frames.filter(({ type }) => type === 'snapshot');
    expect(pages.length).toBeGreaterThan(10);
    expect(pages.map((page) => page['first'])).toEqual(pages.map((_, i) => i === 0));
    expect(new Set(pages.map((page) => page['offset']))).toEqual(new Set([200]));
    const held = pages.flatMap((page) => page['messages'] as Frame[]).map((message) => message['key']);
    expect(held.sort()).toEqual([...keys].sort());
  });
});

describe('a subscription with an interval', () => {
  it('gets at most one batch in that time, that covers exactly what there was', async () => {
    gateway = await gatewayOfTest({ commandsPerSecond: 100_000 });
    const client = await connect();
    const result = await subscribe(client, { topic: 't', intervalMs: 180 });
    expect(result['intervalMs']).toBe(250);
    const startMs = performance.now();
    for (let i = 0; i < 60; i++) await publish('t', { key: `k${i % 2}`, data: i });
    await client.count('t', 60);
    const elapsedMs = performance.now() - startMs;
    expect(offsets(client.publications('t'))).toEqual(range(0, 60));
    const batches = coverage(client, 't');
    expectSeamless(batches, 0);
    expect(batches.at(-1)?.[1]).toBe(60);
    // One at once, and then one each interval.
    expect(batches.length).toBeLessThanOrEqual(2 + Math.floor(elapsedMs / 250));
  });

  it('and conflation gets the newest per key of that time, and the coverage is still exact', async () => {
    gateway = await gatewayOfTest({ commandsPerSecond: 100_000 });
    const client = await connect();
    await subscribe(client, { topic: 't', intervalMs: 250, conflate: true });
    await publish('t', { key: 'a', data: 0 });
    await client.count('t', 1);
    const items = range(1, 41).map((i) => ({ topic: 't', type: 'e', key: `k${i % 2}`, data: i }));
    await gateway.publish(items);
    const batch = await client.until((frame) => frame.type === 'batch');
    expect(batch).toMatchObject({ after: 1, upto: 41 });
    expect((batch['messages'] as Frame[]).map(({ key, data }) => [key, data])).toEqual([
      ['k0', 40],
      ['k1', 41],
    ]);
  });
});

describe('a subscription with a filter', () => {
  it('gets what matches, and its coverage moves over what does not before half a ring has passed', async () => {
    gateway = await gatewayOfTest({ topicHistoryMaxPublications: 20, commandsPerSecond: 100_000 });
    const client = await connect();
    const filter = {
      op: 'and',
      filters: [
        { op: 'gte', tag: 'load', number: 80 },
        { op: 'not', filters: [{ op: 'eq', tag: 'host', value: 'quiet' }] },
      ],
    };
    await subscribe(client, { topic: 't', filter });
    await publish('t', { tags: { load: '80.5', host: 'a' } });
    await publish('t', { tags: { load: '79', host: 'a' } });
    await publish('t', { tags: { load: '99', host: 'quiet' } });
    await publish('t', { tags: { load: 'high', host: 'a' } });
    await publish('t', { tags: { load: '100', host: 'b' } });
    expect(offsets(await client.count('t', 2))).toEqual([1, 5]);
    for (let i = 0; i < 30; i++) await publish('t', { tags: { load: '1' } });
    const { epoch } = await publish('t', { tags: { load: '90' } });
    await client.count('t', 3);
    const covered = coverage(client, 't');
    expectSeamless(covered, 0);
    expect(covered.at(-1)?.[1]).toBe(36);
    for (const [after, upto] of covered) expect(upto - after).toBeLessThanOrEqual(20);
    const again = await connect();
    const position = covered.at(-2)?.[1] as number;
    const result = await subscribe(again, { topic: 't', filter, since: { epoch, offset: position } });
    expect(result).toMatchObject({ recovered: true });
    expect(offsets(await again.count('t', 1))).toEqual([36]);
  });
});

describe('a namespace', () => {
  it('gives its topics the ring that the file says', async () => {
    const file = newFile(
      'sluice.yaml',
      'namespaces: { short: { topicHistoryMaxPublications: 2 }, values: { mode: state } }\n',
    );
    gateway = await gatewayOfTest({}, file);
    await publishMany('short:a', 5);
    await publishMany('long:a', 5);
    const client = await connect();
    expect(
      offsets((await client.call({ type: 'history', topic: 'short:a' }))['messages'] as Frame[]),
    ).toEqual([4, 5]);
    expect((await client.call({ type: 'history', topic: 'long:a' }))['messages']).toHaveLength(5);
    expect(await subscribe(client, { topic: 'values:a' })).toMatchObject({ mode: 'state' });
  });
});
