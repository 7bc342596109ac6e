import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Server, TailEntries } from '../../../src/engines/redis/server.ts';
import { type Listening, PushedTail } from '../../../src/engines/redis/tail.ts';

test('the log is read once more where that is asked for as a read ends', async () => {
  const nothing: TailEntries = { log: [], messages: [] };
  let reads = 0;
  const server = {
    follow: () => undefined,
    read: async () => {
      reads++;
      return nothing;
    },
  } as unknown as Server;
  const link: Listening = {
    last: '0-0',
    lastMessage: '0-0',
    isOver: false,
    // Between the last look at what is wanted and the end of the promise.
    take: () => reads === 1 && queueMicrotask(() => tail.missed()),
    lose: (cause) => expect.unreachable(cause.message),
  };
  const tail = new PushedTail(server, server, link);
  await tail.start();
  await turn();
  expect(reads).toBe(2);
});
