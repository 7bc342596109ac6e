import { expect, test } from 'vitest';
import type { RedisConnection } from '../../../src/engines/redis/connection.ts';
import { formats } from '../../../src/engines/redis/formats.ts';
import { Keys } from '../../../src/engines/redis/keys.ts';
import { Server } from '../../../src/engines/redis/server.ts';

const noScript = Object.assign(new Error('NOSCRIPT No matching script.'), { name: 'ReplyError' });
const turn = () => new Promise(setImmediate);

test('batches keep their order where Redis has lost its scripts, whenever it says so', async () => {
  const sent: string[] = [];
  const waiting: ((error: Error) => void)[] = [];
  const connection = {
    call: (command: string, ...args: readonly unknown[]) => {
      sent.push(`${command} ${args.at(-1)}`);
      return new Promise((_, reject) => waiting.push(reject));
    },
  } as Partial<RedisConnection> as RedisConnection;
  const server = new Server(connection, new Keys('test'), 10_000, formats);
  const commit = (batch: string) =>
    void server.commit({ keys: [], args: [], records: Buffer.from(batch) }).catch(() => undefined);
  commit('1');
  commit('2');
  await turn();
  waiting[0]?.(noScript);
  await turn();
  commit('3');
  await turn();
  waiting[1]?.(noScript);
  await turn();
  commit('4');
  await turn();
  expect(sent).toEqual(['EVALSHA 1', 'EVALSHA 2', 'EVAL 1', 'EVAL 2', 'EVALSHA 3', 'EVALSHA 4']);
});
