import { beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { SluiceClient, type Subscription } from '../../src/client/index.ts';
import type { TestGateway } from '../support/gateway.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { ofTest, opened } from '../support/opened.ts';
import { gatewayOfTest } from '../support/sdk.ts';
import { newFolder } from '../support/temporary.ts';

let dataDir: string;
let gateway: TestGateway;

beforeEach(() => {
  dataDir = newFolder();
});

async function start(engine: string, more: Record<string, unknown> = {}): Promise<void> {
  const folder = engine === 'lmdb' ? { dataDir } : {};
  gateway = await gatewayOfTest({ engine, shutdownGraceSeconds: 0, ...folder, ...more });
}

/** A large publication makes all other rings give way. */
const tiny = { historyMaxBytes: 1024, topicHistoryMaxBytes: 1024, payloadMaxBytes: 1024 };

const publish = (topic: string, count = 1, data: unknown = 1) =>
  gateway.publish(Array.from({ length: count }, () => ({ topic, type: 'update', data })));

/** Makes all other topics give way, and removes them. */
async function pushOut(topic: string): Promise<void> {
  await publish('filler', 1, 'x'.repeat(1000));
  gateway.broker.sweep();
  expect(gateway.broker.find(topic)?.holdsContent ?? false).toBe(false);
}

async function connect(): Promise<JsonClient> {
  return opened(JsonClient.open(gateway.wsUrl));
}

async function subscribe(client: JsonClient, subscription: Record<string, unknown>): Promise<Frame> {
  const reply = await client.call({ type: 'subscribe', subscriptions: [subscription] });
  const [result] = reply['results'] as Frame[];
  if (result === undefined) throw new Error('no result');
  return result;
}

describe.each(['memory', 'lmdb'])('the numbering of topics whose content is gone, on %s', (engine) => {
  it('tells a client that knew a topic as empty what it missed of it', async () => {
    await start(engine, tiny);
    const first = await connect();
    const { epoch, offset, cursor } = await subscribe(first, { topic: 't' });
    expect([epoch, offset]).toEqual(['', 0]);
    await first.close();
    await publish('t', 3);
    await pushOut('t');
    const since = { epoch: '', offset: 0 };
    for (const asked of [{ since }, { since, cursor }]) {
      const result = await subscribe(await connect(), { topic: 't', ...asked });
      expect(result).toMatchObject({ recovered: false, offset: 3, missing: { after: 0, upto: 3 } });
    }
  });

  it('tells a client that comes back to a quiet topic that it missed nothing', async () => {
    await start(engine, tiny);
    const first = await connect();
    await subscribe(first, { topic: 'q' });
    await publish('q');
    await first.count('q', 1);
    const epoch = gateway.broker.find('q')?.epoch;
    await first.close();
    await pushOut('q');
    const again = await connect();
    expect(await subscribe(again, { topic: 'q', since: { epoch, offset: 1 } })).toMatchObject({
      recovered: true,
      epoch,
      offset: 1,
    });
    await publish('q');
    expect((await again.count('q', 1)).map((frame) => frame['offset'])).toEqual([2]);
    expect(again.frames.some(({ type }) => type === 'reset')).toBe(false);
  });

  it('tells that nothing was missed of a topic that never was', async () => {
    await start(engine, tiny);
    const since = { epoch: '', offset: 0 };
    expect(await subscribe(await connect(), { topic: 'never', since })).toMatchObject({
      recovered: true,
      epoch: '',
      offset: 0,
    });
  });

  it('names what a pattern missed of a topic that was born and is gone', async () => {
    await start(engine, tiny);
    const first = await connect();
    const { cursor } = await subscribe(first, { topic: 'o*' });
    await first.close();
    await publish('o:1', 4);
    await pushOut('o:1');
    const again = await connect();
    expect(await subscribe(again, { topic: 'o*', cursor })).toMatchObject({ recovered: true });
    const named = await again.until((frame) => frame['topic'] === 'o:1');
    expect(named).toMatchObject({ recovered: false, missing: { after: 0, upto: 4 } });
    const level = await again.until((frame) => frame['topic'] === 'o*' && frame['recovered'] === true);
    const later = await connect();
    const resumed = await subscribe(later, { topic: 'o*', cursor: level['cursor'] });
    expect(resumed).toMatchObject({ recovered: true, cursor: expect.any(String) });
    await publish('o:1');
    expect((await later.count('o:1', 1)).map((frame) => frame['offset'])).toEqual([5]);
    expect(later.frames.filter((frame) => 'missing' in frame)).toEqual([]);
  });

  it('can’t read the cursor of another engine, and says so', async () => {
    await start(engine, tiny);
    await publish('o:1');
    for (const cursor of ['another.1', 'not a cursor', '']) {
      const client = await connect();
      const result = await subscribe(client, { topic: 'o*', cursor });
      expect([cursor, result['recovered']]).toEqual([cursor, cursor === '' ? undefined : false]);
    }
  });
});

it('outlives a restart on lmdb: positions, the empty epoch and cursors', async () => {
  await start('lmdb', tiny);
  const first = await connect();
  const { cursor } = await subscribe(first, { topic: 'o*' });
  await publish('o:1', 2);
  const position = gateway.broker.find('o:1')?.position;
  await pushOut('o:1');
  await gateway.close();
  await start('lmdb', tiny);
  const client = await connect();
  expect(await subscribe(client, { topic: 'o:1', since: position })).toMatchObject({
    recovered: true,
    ...position,
  });
  const other = await connect();
  const since = { epoch: '', offset: 0 };
  expect(await subscribe(other, { topic: 'o:1', since })).toMatchObject({
    recovered: false,
    missing: { after: 0, upto: 2 },
  });
  expect(await subscribe(other, { topic: 'o*', cursor })).toMatchObject({ recovered: true });
  const named = await other.until((frame) => frame.type !== 'subscribed' && frame['topic'] === 'o:1');
  expect(named).toMatchObject({ recovered: false, missing: { after: 0, upto: 2 } });
});

describe('the SDK’s patterns', () => {
  function record(subscription: Subscription) {
    const told: unknown[] = [];
    let wake = () => {};
    const tell = (one: unknown) => {
      told.push(one);
      wake();
    };
    subscription.on('publication', ({ topic, offset }) => tell(`${topic} ${offset}`));
    subscription.on('gap', ({ topic, missing }) => tell(['gap', topic, missing?.after, missing?.upto]));
    subscription.on('state', (state) => tell(state));
    subscription.on('error', (error) => tell(error.code));
    const until = async (enough: () => boolean) => {
      while (!enough()) await new Promise<void>((resolve) => (wake = resolve));
    };
    return { told, until };
  }

  async function client(): Promise<SluiceClient> {
    const made = ofTest(new SluiceClient(gateway.wsUrl, { WebSocket }));
    await made.connect();
    return made;
  }

  it('tell what is lost of a topic that was born while the client was away', async () => {
    await start('memory', { topicHistoryMaxPublications: 10 });
    const sdk = await client();
    const subscription = sdk.subscribe('o:*');
    const { told, until } = record(subscription);
    await until(() => subscription.state === 'live');
    await publish('o:1');
    await until(() => told.includes('o:1 1'));
    sdk.close();
    await publish('o:2', 25);
    await sdk.connect();
    await until(() => told.includes('o:2 25'));
    const offsets = Array.from({ length: 10 }, (_, i) => `o:2 ${16 + i}`);
    const news = told.slice(told.indexOf('o:1 1') + 1).filter((one) => one !== 'live' && one !== 'pending');
    expect(news).toEqual([['gap', 'o:2', 0, 15], ...offsets]);
  });

  it.each([1001, 5000])('are resumed with %i topics, and nothing is lost of any', async (count) => {
    await start('memory');
    const sdk = await client();
    const all = sdk.subscribe('dev:*');
    const other = sdk.subscribe('other');
    const { told, until } = record(all);
    await until(() => all.state === 'live');
    const each = async () => {
      for (let from = 0; from < count; from += 500) {
        const names = Array.from({ length: Math.min(500, count - from) }, (_, i) => `dev:${from + i}`);
        const items = names.map((topic) => ({ topic, type: 'update', data: 1 }));
        expect((await gateway.post('/api/publish/batch', JSON.stringify(items))).status).toBe(200);
      }
    };
    const publications = () => told.filter((one) => typeof one === 'string' && one.startsWith('dev:'));
    await each();
    await until(() => publications().length >= count);
    sdk.close();
    await each();
    await sdk.connect();
    await until(() => publications().length >= 2 * count);
    expect([all.state, other.state]).toEqual(['live', 'live']);
    expect(new Set(publications()).size).toBe(2 * count);
    expect(told.filter((one) => Array.isArray(one))).toEqual([]);
  });
});
