import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { SluiceClient } from '../../src/client/index.ts';
import type { startGateway, TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { ofTest, opened } from '../support/opened.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { gatewayOfTest } from '../support/sdk.ts';

/** Enough for deflating 1 kB to pay for itself. */
const crowd = 150;

async function start(flags: Parameters<typeof startGateway>[0] = {}): Promise<TestGateway> {
  return gatewayOfTest({
    connectionsMaxPerIp: 1000,
    handshakesPerSecondPerIp: 1000,
    ...flags,
  });
}

async function join({ wsUrl }: TestGateway, capabilities: string[]) {
  const client = await opened(ProtobufClient.open(wsUrl));
  await client.call('connect', { capabilities });
  const reply = await client.call('subscribe', { subscriptions: [{ topic: 'stats' }] });
  if (reply.kind !== 'subscribed' || !('view' in reply.results[0]!))
    throw new Error(`not subscribed: ${JSON.stringify(reply)}`);
  const { view } = reply.results[0];
  return { client, view, used: () => usedBy(client, view) };
}

/** The dictionaries that the batches of a view were deflated with; 0: with none, undefined: not at all. */
function usedBy(client: ProtobufClient, view: number): (number | undefined)[] {
  return client.frames.flatMap((frame) =>
    frame.kind === 'batch' && frame.view === view ? [frame.compressed?.dictionary] : [],
  );
}

/** Much alike; of its own each has only numbers. About 1 kB. */
function reading(i: number): string {
  const gauges = Array.from({ length: 40 }, (_, k) => [
    `gauge_${(k * 7919).toString(36)}`,
    (i * 31 + k * 17) % 997,
  ]);
  return JSON.stringify({ server: 'web-01', ...Object.fromEntries(gauges) });
}

type Joined = Awaited<ReturnType<typeof join>>;

/** Each in a batch of its own: the next one when a subscriber has this one. */
async function publish(gateway: TestGateway, { client, view }: Joined, from: number, upto: number) {
  for (let i = from; i <= upto; i++) {
    const response = await gateway.post('/api/publish', `{"topic":"stats","type":"r","data":${reading(i)}}`);
    expect(response.status).toBe(200);
    await client.count(view, i);
  }
}

function sdk({ wsUrl }: TestGateway) {
  const client = ofTest(new SluiceClient(wsUrl, { WebSocket }));
  const texts: string[] = [];
  let wake = () => {};
  const subscription = client.subscribe('stats', {}, ({ text }) => {
    texts.push(text);
    wake();
  });
  subscription.on('state', () => wake());
  void client.connect();
  const until = async (enough: () => boolean) => {
    while (!enough()) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { client, texts, subscription, until };
}

const readings = (from: number, upto: number) =>
  Array.from({ length: upto - from + 1 }, (_, i) => reading(from + i));

it('clients that know dictionaries, and clients that don’t, hear the same, early and late', async () => {
  const gateway = await start();
  const beganMs = performance.now();
  const able = await Promise.all(Array.from({ length: crowd }, () => join(gateway, ['dictionary'])));
  const unable = await join(gateway, []);
  const json = await opened(JsonClient.open(gateway.wsUrl));
  await json.call({ type: 'subscribe', topic: 'stats' });
  const early = sdk(gateway);
  await early.until(() => early.subscription.state === 'live');
  await publish(gateway, unable, 1, 20);
  const late = sdk(gateway);
  await late.until(() => late.subscription.state === 'live');
  await publish(gateway, unable, 21, 60);

  await early.until(() => early.texts.length === 60);
  await late.until(() => late.texts.length === 40);
  expect(early.texts).toEqual(readings(1, 60));
  expect(late.texts).toEqual(readings(21, 60));
  for (const { client, view } of [...able, unable]) {
    const publications = await client.count(view, 60);
    expect(publications.map(({ payload }) => Buffer.from(payload.bytes).toString())).toEqual(readings(1, 60));
  }
  const newest = able[0]?.used().at(-1);
  expect(newest).toBeGreaterThan(0);
  expect(able.map(({ used }) => used().at(-1))).toEqual(able.map(() => newest));
  expect(unable.used().filter((dictionary) => dictionary !== undefined && dictionary > 0)).toEqual([]);
  expect([early.client.getStats().gaps, late.client.getStats().gaps]).toEqual([0, 0]);
  // The late one heard nothing but short batches and, once, what they are short by.
  const plainBytes = readings(21, 60).join('').length;
  expect(late.client.getStats().bytesReceived).toBeLessThan(plainBytes / 2);
  // At most one in each minute.
  const trials = await gateway.metric('sluice_dictionary_trials_total');
  expect(trials).toBeGreaterThan(0);
  expect(trials).toBeLessThanOrEqual(1 + Math.floor((performance.now() - beganMs) / 60_000));
});

it.each([
  ['without a dictionary where dictionaryMinBytes is 0', { dictionaryMinBytes: 0 }, [0]],
  ['not at all where compressMinBytes is 0', { compressMinBytes: 0 }, []],
])('batches are deflated %s', async (_, flags, expected) => {
  const gateway = await start(flags);
  const clients = await Promise.all(Array.from({ length: crowd }, () => join(gateway, ['dictionary'])));
  const [first] = clients as [Joined];
  await publish(gateway, first, 1, 60);
  expect([...new Set(first.used())].filter((dictionary) => dictionary !== undefined)).toEqual(expected);
});
