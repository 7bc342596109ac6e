import { describe, expect, test } from 'vitest';
import { catchUp } from '../../src/catch-up/catch-up.ts';
import { PageCache, type PageCacheOptions } from '../../src/catch-up/page-cache.ts';
import { TopicBacklog } from '../../src/catch-up/topic-backlog.ts';
import type { View } from '../../src/fanout/view.ts';
import { plainMaxBytes } from '../../src/protocol/inflate.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { decode, makeWorld, onlyRoom, topicOf, type WorldOptions } from '../fanout/fixtures.ts';
import { codecs } from '../support/codecs.ts';
import { Expander } from '../support/expander.ts';
import { json } from '../topics/fixtures.ts';

interface Options extends WorldOptions {
  readonly view?: Partial<View['options']>;
  readonly pages?: Partial<PageCacheOptions>;
  readonly subscribers?: number;
}

const pageBytes = 1000;

/** One topic, and subscribers of one view that return. */
async function outage({ view: more, pages: pagesOptions, subscribers = 2, ...options }: Options = {}) {
  const world = await makeWorld(options);
  const [view] = Array.from({ length: subscribers }, () => world.view('a', more)) as [View];
  const { counts } = world;
  const pages = new PageCache({
    maxBytes: 1_000_000,
    compressMinBytes: 0,
    metrics: counts.metrics,
    ...pagesOptions,
  });
  /** What a client is sent that has had everything up to `position`. */
  const back = (position: number, id = 'me'): Uint8Array[] => {
    const sent: Uint8Array[] = [];
    const feed = view.feedOf(topicOf(world.broker, 'a'));
    if (feed === undefined) throw new Error('no feed');
    const backlog = new TopicBacklog(feed, feed.topic.epoch, position);
    const receiver = {
      id,
      endForUnnamedLoss: () => undefined,
      hasRoom: () => true,
      sendBytes: (message: Uint8Array) => void sent.push(message),
      sendFrame: () => undefined,
    };
    catchUp(receiver, view, backlog, {
      nowMs: () => world.broker.nowMs(),
      pageBytes,
      pages,
      modeOf: () => 'stream',
      metrics: counts.metrics,
    });
    return sent;
  };
  return {
    ...world,
    view,
    pages,
    back,
    deflates: () => counts.of('sharedPageDeflatesTotal'),
    framed: () => counts.of('sharedPagesTotal'),
  };
}

/** As a client reads them. */
function read(messages: readonly Uint8Array[]): Extract<ServerFrame, { kind: 'batch' }>[] {
  const expander = new Expander();
  return messages.map((message) => {
    const frame = expander.take(decode(codecs.protobuf, message));
    if (frame.kind !== 'batch') throw new Error(`not a batch: ${frame.kind}`);
    return frame;
  });
}

const offsets = (messages: readonly Uint8Array[]) =>
  read(messages).flatMap(({ publications }) => publications.map(({ offset }) => offset));
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const many = (count: number) => Array.from({ length: count }, () => ({ payload: json('x'.repeat(40)) }));

describe('pages for clients that return', () => {
  test('are framed once for all at the same position', async () => {
    const { publish, back } = await outage();
    await publish('a', ...many(100));
    const first = back(10);
    expect(first.length).toBeGreaterThan(3);
    expect(back(10).every((message, i) => message === first[i])).toBe(true);
    expect(offsets(first)).toEqual(range(11, 100));
  });

  test.each([
    [1, 0],
    [2, 1],
    [3, 1],
  ])('are kept for the others of %i subscriptions of a view, so %i is', async (subscribers, kept) => {
    const { publish, back, framed } = await outage({ subscribers });
    await publish('a', {});
    expect(offsets(back(0))).toEqual([1]);
    expect(framed()).toBe(kept);
  });

  test('are soon the same from whatever position', async () => {
    const { publish, back } = await outage();
    await publish('a', ...many(300));
    const all = Array.from({ length: 40 }, (_, position) => back(position));
    all.forEach((messages, position) => {
      expect(offsets(messages)).toEqual(range(position + 1, 300));
    });
    const distinct = new Set(all.flatMap((messages) => messages.slice(2)));
    expect(distinct.size).toBeLessThan(40);
  });

  test('are soon the same too where a filter leaves few of many', async () => {
    const { publish, back } = await outage({
      view: { filter: onlyRoom('1') },
      topic: { maxPublications: 3000 },
    });
    const fields = range(1, 3000).map((offset) => (offset % 100 === 0 ? { tags: { room: '1' } } : {}));
    await publish('a', ...fields);
    const all = Array.from({ length: 40 }, (_, position) => back(position));
    for (const messages of all) expect(offsets(messages)).toEqual(range(1, 30).map((i) => 100 * i));
    const distinct = new Set(all.flatMap((messages) => messages.slice(1)));
    expect(distinct.size).toBeLessThan(10);
  });

  test('are not shared if they leave out what one client must not get, or what will expire', async () => {
    const { publish, back } = await outage();
    await publish('a', {}, { except: 'me' }, {});
    expect([offsets(back(0)), offsets(back(0, 'other'))]).toEqual([
      [1, 3],
      [1, 2, 3],
    ]);
    const expiring = await outage();
    await expiring.publish('a', {}, { ttlMs: 50 }, {});
    expect(offsets(expiring.back(0))).toEqual([1, 2, 3]);
    expiring.turns.advance(50);
    expect(offsets(expiring.back(0))).toEqual([1, 3]);
  });

  test('end with their epoch', async () => {
    const { publish, back, broker } = await outage();
    await publish('a', {}, {});
    expect(offsets(back(0))).toEqual([1, 2]);
    broker.reset('a', 'another', 0);
    expect(back(0)).toEqual([]);
  });

  test('say nothing of what was published later: then they are framed anew, and not followed by one more', async () => {
    const { publish, back, pages } = await outage();
    await publish('a', {});
    const [first] = back(0);
    expect(back(0)).toEqual([first]);
    const { bytes } = pages;
    for (let newest = 2; newest <= 20; newest++) {
      await publish('a', {});
      const messages = back(0);
      expect([messages.length, offsets(messages)]).toEqual([1, range(1, newest)]);
      expect(back(0)[0]).toBe(messages[0]);
    }
    expect(pages.bytes).toBe(bytes + back(0)[0]!.length - first!.length);
  });

  test('say no more than what the members of the view were sent', async () => {
    const { publish, back, live, turns } = await outage();
    await publish('a', {});
    live('a');
    await publish('a', {});
    turns.settle();
    const [first] = back(0);
    await publish('a', {});
    expect(back(0)).toEqual([first]);
    expect(back(0)[0]).toBe(first);
    turns.advance(5);
    expect(back(0).map((message) => offsets([message]))).toEqual([[1, 2, 3]]);
  });

  test('are evicted, the one longest unused first, when they are too large together', async () => {
    const { publish, back, pages } = await outage({ pages: { maxBytes: 3000 } });
    await publish('a', ...many(100));
    const first = back(0);
    expect(pages.bytes).toBeGreaterThan(1500);
    expect(pages.bytes).toBeLessThanOrEqual(3000);
    const again = back(0);
    expect(again).toEqual(first);
    expect(again[0]).not.toBe(first[0]);
  });
});

test('pages count with what an entry takes besides its message', async () => {
  const { publish, back, pages } = await outage();
  await publish('a', {});
  const [first] = back(0);
  const entryBytes = pages.bytes - first!.length;
  expect(entryBytes).toBeGreaterThanOrEqual(500);
  const sent = async (maxBytes: number) => {
    const small = await outage({ pages: { maxBytes } });
    await small.publish('a', {}, {}, {});
    const three = [0, 1, 2].map((position) => small.back(position)[0]);
    return { bytes: small.pages.bytes, isFirstKept: small.back(0)[0] === three[0] };
  };
  const { bytes } = await sent(1_000_000);
  expect(bytes).toBeGreaterThan(3 * entryBytes);
  expect((await sent(bytes)).isFirstKept).toBe(true);
  expect((await sent(bytes - 1)).isFirstKept).toBe(false);
});

test('pages are evicted when no client has needed them for two sweeps', async () => {
  const { publish, back, pages } = await outage();
  await publish('a', ...many(10));
  const [first] = back(0);
  pages.sweep();
  expect(back(0)[0]).toBe(first);
  pages.sweep();
  expect(pages.bytes).toBeGreaterThan(0);
  pages.sweep();
  expect(pages.bytes).toBe(0);
});

describe('deflating them', () => {
  // A byte less for one receiver is worth as much as deflating one byte: three receivers pay for it, with 0.7 saved
  // each.
  const costs = { callNs: 0, byteNs: 2, dictionaryByteNs: 0, savedByteNs: 1 };
  const page = many(15);

  test('waits until it would have paid', async () => {
    const { publish, back, deflates } = await outage({ pages: { compressMinBytes: 1, costs } });
    await publish('a', ...page);
    const [plain] = back(0);
    expect([back(0)[0] === plain, deflates()]).toEqual([true, 0]);
    const [deflated] = back(0);
    expect(deflates()).toBe(1);
    expect(deflated!.length).toBeLessThan(plain!.length / 2);
    expect([back(0)[0] === deflated, deflates()]).toEqual([true, 1]);
    expect(offsets([deflated!])).toEqual(range(1, 15));
    expect(read([deflated!])[0]).toMatchObject({ after: 0, upto: 15, compressed: { dictionary: 0 } });
  });

  test.each([
    ['below the limit', 0, 0],
    ['at the limit', 1, 1],
    ['never', 2, 0],
  ])('%s', async (_, which, expected) => {
    const { publish: publishAll, back: sent } = await outage();
    await publishAll('a', ...page);
    const { length } = sent(0)[0]!;
    const compressMinBytes = [length + 1, length, 0][which]!;
    const { publish, back, deflates } = await outage({ pages: { compressMinBytes, costs } });
    await publish('a', ...page);
    for (let i = 0; i < 5; i++) back(0);
    expect(deflates()).toBe(expected);
  });

  test('is nothing for what is larger than receivers inflate', async () => {
    const { publish, back, deflates } = await outage({
      pages: { compressMinBytes: 1, costs, maxBytes: 4 * plainMaxBytes },
      broker: { payloadMaxBytes: 2 * plainMaxBytes },
    });
    await publish('a', { payload: { format: 'binary', bytes: new Uint8Array(plainMaxBytes) } });
    for (let i = 0; i < 5; i++) expect(back(0)[0]?.length).toBeGreaterThan(plainMaxBytes);
    expect(deflates()).toBe(0);
  });

  test('keeps what would only become larger', async () => {
    const { publish, back, deflates } = await outage({ pages: { compressMinBytes: 1, costs } });
    const noise = Uint8Array.from({ length: 900 }, (_, i) => (i * 2_654_435_761) >>> 13);
    await publish('a', { payload: { format: 'binary', bytes: noise } });
    const [plain] = back(0);
    for (let i = 0; i < 5; i++) expect(back(0)[0]!.length).toBeLessThanOrEqual(plain!.length);
    expect(deflates()).toBe(1);
  });

  test('is nothing for the JSON codec', async () => {
    const { publish, back, deflates } = await outage({
      view: { codec: codecs.json },
      pages: { compressMinBytes: 1, costs },
    });
    await publish('a', ...page);
    const [first] = back(0);
    for (let i = 0; i < 5; i++) expect(back(0)[0]).toBe(first);
    expect(deflates()).toBe(0);
  });
});

test('pages are counted when they are framed for all, not when they are sent or for one', async () => {
  const { publish, back, framed } = await outage();
  await publish('a', ...many(15));
  for (let i = 0; i < 3; i++) expect(back(0).length).toBe(1);
  expect(framed()).toBe(1);
  back(5);
  expect(framed()).toBe(2);
  await publish('a', { except: 'me' });
  back(15);
  expect(framed()).toBe(2);
});
