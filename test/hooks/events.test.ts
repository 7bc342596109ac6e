import { describe, expect, it, onTestFinished, test, vi } from 'vitest';
import { EventQueue } from '../../src/hooks/event-queue.ts';
import { ApplicationEvents } from '../../src/hooks/events.ts';
import { createMetrics } from '../../src/metrics.ts';
import { startGateway } from '../support/gateway.ts';
import { HookServer, hookSecret } from '../support/hook-server.ts';
import { JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';

interface ToldBatch {
  readonly gateway: string;
  readonly run: string;
  readonly sequence: number;
  readonly resync?: { readonly page: number; readonly last: boolean; readonly topics: readonly string[] };
  readonly events: readonly { readonly type: string; readonly topic?: string; readonly session?: string }[];
}

describe('the events of a gateway', () => {
  it('begin with a resync, come signed and in order, once more after a failure, and also at the end', async () => {
    const hooks = await opened(HookServer.start());
    let refused = 0;
    const taken: ToldBatch[] = [];
    hooks.answer = (question) => {
      const batch = question as unknown as ToldBatch;
      if (batch.sequence === 2 && refused++ < 1) return 500;
      taken.push(batch);
      return '';
    };
    const gateway = await startGateway({ hookEvents: hooks.url, hookSecret });
    await expect.poll(() => taken).toMatchObject([{ sequence: 1, resync: { last: true, topics: [] } }]);
    const [one, other] = await Promise.all([JsonClient.open(gateway.wsUrl), JsonClient.open(gateway.wsUrl)]);
    await one.call({ type: 'subscribe', topic: 'a' });
    await other.call({ type: 'subscribe', subscriptions: [{ topic: 'a' }, { topic: 'b*' }] });
    await one.call({ type: 'unsubscribe', topic: 'a' });
    await gateway.close();
    expect(hooks.forged).toBe(0);
    expect(refused).toBe(2);
    expect(taken.map(({ sequence }) => sequence)).toEqual(taken.map((_, index) => index + 1));
    expect(new Set(taken.map(({ run, gateway: name }) => `${name} ${run}`)).size).toBe(1);
    const events = taken.flatMap((batch) => batch.events);
    expect(events.filter(({ topic }) => topic === 'a').map(({ type }) => type)).toEqual([
      ...['subscribed', 'occupied', 'subscribed', 'unsubscribed', 'unsubscribed', 'vacated'],
    ]);
    expect(events.filter(({ topic }) => topic === 'b*').map(({ type }) => type)).toEqual([
      ...['subscribed', 'unsubscribed'],
    ]);
    expect(events.filter(({ type }) => type === 'connected')).toHaveLength(2);
    expect(events.filter(({ type }) => type === 'disconnected')).toHaveLength(2);
    expect(gateway.metrics.eventsTotal.value).toBe(events.length);
    expect(gateway.metrics.eventBatchErrorsTotal.value).toBe(1);
  });
});

describe('the events that one application takes', () => {
  const event = {
    type: 'connected',
    session: 's',
    user: undefined,
    transport: 'poll',
    address: '::1',
  } as const;

  /** `taking` is run while a batch is under way, which the application then takes. */
  function started(taking: (events: ApplicationEvents, batch: ToldBatch) => unknown) {
    const batches: ToldBatch[] = [];
    const events = new ApplicationEvents({
      endpoint: {
        post: async ([body]) => {
          const batch = JSON.parse(String(body)) as ToldBatch;
          batches.push(batch);
          await undefined;
          await taking(events, batch);
          return Buffer.alloc(0);
        },
      },
      gateway: 'g',
      group: 'g',
      queueMaxBytes: 1000,
      timeoutMs: 1000,
      monotonicMs: () => 0,
      metrics: createMetrics(),
      log: { warn: () => undefined },
    });
    onTestFinished(() => events.close(0));
    events.start();
    return { events, batches };
  }

  it('include those that come at any step of the end of a batch', async () => {
    const all = Array.from({ length: 12 }, (_, steps) =>
      started((events, { sequence }) => {
        if (sequence > 1) return;
        void (async () => {
          for (let step = 0; step < steps; step++) await undefined;
          events.told(event);
        })();
      }),
    );
    await expect.poll(() => all.map(({ batches }) => batches.length)).toEqual(all.map(() => 2));
  });

  it('come in one batch at a time, and none once the gateway has ended', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const take: (() => void)[] = [];
    const { events, batches } = started(() => new Promise<void>((resolve) => take.push(resolve)));
    const sizes = () => batches.map((batch) => batch.events.length);
    await vi.advanceTimersByTimeAsync(0);
    events.told(event);
    await vi.advanceTimersByTimeAsync(1000);
    expect(sizes()).toEqual([0]);
    take[0]?.();
    await vi.advanceTimersByTimeAsync(0);
    take[1]?.();
    await vi.advanceTimersByTimeAsync(0);
    events.told(event);
    await vi.advanceTimersByTimeAsync(15);
    events.told(event);
    await vi.advanceTimersByTimeAsync(1000);
    expect(sizes()).toEqual([0, 1, 2]);
    take[2]?.();
    await vi.advanceTimersByTimeAsync(0);
    await events.close(0);
    events.told(event);
    await vi.advanceTimersByTimeAsync(1000);
    expect(sizes()).toEqual([0, 1, 2]);
  });
});

test('an application that fails while the gateway ends is asked again after a pause', async () => {
  let attempts = 0;
  const events = new ApplicationEvents({
    endpoint: {
      post: async () => {
        attempts++;
        throw new Error('not now');
      },
    },
    gateway: 'g',
    group: 'g',
    queueMaxBytes: 1000,
    timeoutMs: 1000,
    monotonicMs: () => 0,
    metrics: createMetrics(),
    log: { warn: () => undefined },
  });
  await events.close(200);
  expect(attempts).toBeLessThan(10);
});

describe('the queue of events', () => {
  function queueOf(maxBytes: number, occupied: string[] = []) {
    const queue = new EventQueue(maxBytes, () => [...occupied]);
    queue.next();
    queue.acknowledged();
    return queue;
  }

  it('keeps a batch until it is acknowledged, in order', () => {
    const queue = queueOf(1000);
    for (const event of ['"1"', '"2"']) queue.add(event);
    const batch = queue.next();
    queue.add('"3"');
    expect(batch?.events).toEqual(['"1"', '"2"']);
    expect(queue.next()).toBe(batch);
    expect(queue.bytes).toBe(9);
    expect(queue.acknowledged()).toBe(2);
    expect(queue.next()?.events).toEqual(['"3"']);
    queue.acknowledged();
    expect([queue.isEmpty, queue.bytes]).toEqual([true, 0]);
  });

  it.each([
    ['500 events', 501, '1', [500, 1]],
    ['256 KiB', 3, `"${'x'.repeat(100 * 1024)}"`, [2, 1]],
    ['one event, however large', 2, `"${'x'.repeat(300 * 1024)}"`, [1, 1]],
  ])('gives batches of at most %s', (_, count, event, sizes) => {
    const queue = queueOf(1024 * 1024);
    for (let i = 0; i < count; i++) queue.add(event);
    const given = sizes.map(() => {
      queue.next();
      return queue.acknowledged();
    });
    expect([given, queue.isEmpty]).toEqual([sizes, true]);
  });

  it('holds as many bytes as it may, and one more drops all, and a resync follows, then other events', () => {
    const occupied = ['a'];
    const queue = queueOf(30, occupied);
    for (let i = 0; i < 3; i++) queue.add('"12345678"');
    expect([queue.dropped, queue.bytes]).toEqual([0, 30]);
    queue.add('"x"');
    expect([queue.dropped, queue.bytes]).toEqual([4, 0]);
    occupied.push('later');
    queue.add('"o"', true);
    queue.add('"y"');
    expect(queue.next()).toMatchObject({
      events: [],
      resync: { page: 1, last: true, topics: ['a', 'later'] },
    });
    queue.acknowledged();
    expect(queue.next()).toMatchObject({ events: ['"y"'] });
  });

  it('looks at the topics once for many events that find no room beside a batch that is not taken', () => {
    let looks = 0;
    const queue = new EventQueue(20, () => {
      looks++;
      return [];
    });
    queue.next();
    queue.acknowledged();
    queue.add('"12345678"');
    queue.next();
    for (let i = 0; i < 100; i++) queue.add('"a longer event"');
    expect([queue.dropped, looks]).toEqual([100, 1]);
    queue.acknowledged();
    expect(queue.next()?.resync).toEqual({ page: 1, last: true, topics: [] });
  });

  it('tells the topics of a resync in pages', () => {
    const occupied = Array.from({ length: 2001 }, (_, i) => `t${i}`);
    const queue = new EventQueue(1000, () => occupied);
    const pages = [1, 2, 3].map(() => {
      const batch = queue.next();
      queue.acknowledged();
      return batch?.resync;
    });
    expect(pages.map((page) => [page?.page, page?.last, page?.topics?.length])).toEqual([
      [1, false, 1000],
      [2, false, 1000],
      [3, true, 1],
    ]);
    expect(queue.isEmpty).toBe(true);
  });
});
