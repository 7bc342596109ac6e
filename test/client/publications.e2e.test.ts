import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type HistoryPage,
  type Published,
  publications,
  type ReceivedPublication,
  type Subscription,
  typed,
} from '../../src/client/index.ts';
import type { PageClient } from '../../src/client/page/index.ts';
import { clientOfTest, gatewayOfTest, state } from '../support/sdk.ts';

interface Topics {
  stats: { visitors: number };
  [server: `server:${string}`]: { cpu: number };
}

async function live() {
  const gateway = await gatewayOfTest();
  const client = clientOfTest(gateway.wsUrl);
  await client.connect();
  const subscription = client.subscribe<number>('loop');
  await state(subscription, 'live');
  const publish = async (count: number) => {
    for (let i = 1; i <= count; i++) await client.publish('loop', 'update', i);
  };
  return { client, subscription, publish };
}

describe('a loop over publications', () => {
  it('gets each in order, also those that come while its body runs, and ends with the subscription', async () => {
    const { subscription, publish } = await live();
    const loop = publications(subscription);
    const first = loop.next();
    await publish(5);
    const seen = [(await first).value?.data];
    for await (const { data } of loop) {
      seen.push(data);
      if (data === 5) subscription.unsubscribe();
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('leaves the subscription as it is when it is left', async () => {
    const { subscription, publish } = await live();
    const loop = publications(subscription);
    const first = loop.next();
    await publish(1);
    await first;
    await loop.return();
    expect(subscription.state).toBe('live');
  });

  it.each([
    [3, 'ends'],
    [2, 'throws'],
  ])('where at most %i may wait and 3 do, it %s', async (max, outcome) => {
    const { subscription, publish } = await live();
    const loop = publications(subscription, max);
    const first = loop.next();
    const all = new Promise<void>((resolve) => {
      subscription.on('publication', ({ data }) => data === 4 && resolve());
    });
    await publish(4);
    await all;
    await first;
    if (outcome === 'throws') await expect(loop.next()).rejects.toThrow(RangeError);
    else expect((await loop.next()).value?.data).toBe(2);
  });
});

it('topics have the types that the application gives them', async () => {
  const gateway = await gatewayOfTest();
  const client = typed<Topics>(clientOfTest(gateway.wsUrl));
  const subscription = client.subscribe('server:1');
  expectTypeOf(subscription).toEqualTypeOf<Subscription<{ cpu: number }>>();
  expectTypeOf(client.subscribe('stats').current().get('')).toEqualTypeOf<
    ReceivedPublication<{ visitors: number }> | undefined
  >();
  // @ts-expect-error There is no such topic.
  client.subscribe('other');
  const history = () => client.history('server:1', { limit: 1 });
  expectTypeOf(history).returns.resolves.toEqualTypeOf<HistoryPage<{ cpu: number }>>();
  const remove = () => client.publish('server:1', 'gone', undefined, { key: 'cpu', removed: true });
  expectTypeOf(remove).returns.toEqualTypeOf<Promise<Published>>();
  // @ts-expect-error Only a removal has no data.
  const nothing = () => client.publish('server:1', 'cpu', undefined, { key: 'cpu' });
  expectTypeOf(nothing).toBeFunction();
  expect(subscription.topic).toBe('server:1');
  // @ts-expect-error Frames are an option of pages.
  client.subscribe('server:2', { deliver: 'frame' });
  const ofPage = (page: PageClient) => typed<Topics>(page).subscribe('server:1', { deliver: 'frame' });
  expectTypeOf(ofPage).returns.toEqualTypeOf<Subscription<{ cpu: number }>>();
});
