import { expect, test } from 'vitest';
import { localError } from '../../../src/client/client-error.ts';
import type { Client, Subscription } from '../../../src/client/index.ts';
import { TopicStore } from '../../../src/client/react/topic-store.ts';

test('an error is shown, and renders, until the subscription changes its state', () => {
  const listeners = new Map<string, (told?: unknown) => void>();
  const subscription = {
    state: 'pending',
    error: undefined,
    on: (event: string, listener: (told?: unknown) => void) => listeners.set(event, listener),
    unsubscribe: () => undefined,
  } as unknown as Subscription;
  const client = { subscribe: () => subscription } as unknown as Client;
  const store = new TopicStore<unknown, number>(client, { topic: 't', options: {} }, 0, () => 1);
  let renders = 0;
  const stop = store.subscribe(() => renders++);
  const error = localError('timeout');
  renders = 0;
  listeners.get('error')?.(error);
  expect([store.view().error, store.view().value, renders]).toEqual([error, 1, 1]);
  listeners.get('state')?.('live');
  expect([store.view().error, store.view().state, renders]).toEqual([undefined, 'live', 2]);
  stop();
  expect(store.view()).toBe(store.initial());
});
