import { expect, test } from 'vitest';
import type { RedisConnection } from '../../../src/engines/redis/connection.ts';
import { formats } from '../../../src/engines/redis/formats.ts';
import { Keys } from '../../../src/engines/redis/keys.ts';
import { Server } from '../../../src/engines/redis/server.ts';

const noScript = Object.assign(new Error('NOSCRIPT No matching script.'), { name: 'ReplyError' });
const turns = async () => {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
};

/** A server of which the test makes the replies. */
function scripted() {
  const sent: string[] = [];
  const replies: ((reply: string | Error) => void)[] = [];
  const connection = {
    call: (command: string, ...args: readonly unknown[]) => {
      sent.push(`${command} ${args.at(-1)}`);
      return new Promise((resolve, reject) => {
        replies.push((reply) => (reply instanceof Error ? reject(reply) : resolve(reply)));
      });
    },
  } as Partial<RedisConnection> as RedisConnection;
  const server = new Server(connection, new Keys('test'), 10_000, formats);
  const done: string[] = [];
  const commit = (batch: string) =>
    void server.commit({ keys: [], args: [], records: Buffer.from(batch) }).then(
      () => done.push(batch),
      ({ message }: Error) => done.push(`${batch}: ${message}`),
    );
  return { sent, replies, commit, done };
}

test('batches keep their order where Redis has lost its scripts, whenever it says so', async () => {
  const { sent, replies, commit } = scripted();
  commit('1');
  commit('2');
  await turns();
  replies[0]?.(noScript);
  await turns();
  commit('3');
  await turns();
  replies[1]?.(noScript);
  commit('4');
  await turns();
  expect(sent).toEqual(['EVALSHA 1', 'EVALSHA 2', 'EVAL 1', 'EVAL 2', 'EVALSHA 3', 'EVALSHA 4']);
});

test('a batch is not done after a later one, for which another node has brought the script back', async () => {
  const { sent, replies, commit, done } = scripted();
  for (const batch of ['1', '2', '3']) commit(batch);
  replies[0]?.(noScript);
  replies[1]?.('');
  replies[2]?.(noScript);
  await turns();
  replies[3]?.('');
  await turns();
  expect(sent).toEqual(['EVALSHA 1', 'EVALSHA 2', 'EVALSHA 3', 'EVAL 3']);
  expect(done).toEqual(['2', `1: ${noScript.message}`, '3']);
});
