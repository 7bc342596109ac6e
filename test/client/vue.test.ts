import { expect, it } from 'vitest';
import { SluiceClient } from '../../src/client/index.ts';
import { JsonClient } from '../../src/client/json/index.ts';
import { PageClient } from '../../src/client/page/index.ts';
import { ReceivedPublication } from '../../src/client/publication.ts';
import { FakeRuntime, FakeSocket, publication } from './support/fakes.ts';

/** As `reactive` of Vue 3, which `ref` uses too: a proxy, unless it is an object of no plain type or marked. */
function reactive<T extends object>(target: T): T {
  const { __v_skip: isMarked } = target as { readonly __v_skip?: boolean };
  const type = Object.prototype.toString.call(target).slice(8, -1);
  return isMarked === true || type !== 'Object' ? target : new Proxy(target, {});
}

it('publications can be kept in reactive state', () => {
  const received = reactive(new ReceivedPublication('t', publication(1, { a: 1 })));
  expect([received.data, received.text, [...received.bytes].length]).toEqual([{ a: 1 }, '{"a":1}', 7]);
  expect(Object.keys(received)).not.toContain('__v_skip');
});

it.each([
  ['SluiceClient', SluiceClient],
  ['PageClient', PageClient],
  ['JsonClient', JsonClient],
])('a %s and its subscriptions can be kept in reactive state', (_name, Client) => {
  const options = { WebSocket: FakeSocket, runtime: new FakeRuntime() };
  const client = reactive(new Client('ws://gateway.test/ws', options) as SluiceClient);
  const subscription = reactive(client.subscribe('t'));
  subscription.unsubscribe();
  expect(subscription.state).toBe('closed');
  client.close();
});
