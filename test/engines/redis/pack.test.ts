import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Argument } from '../../../src/engines/redis/connection.ts';
import { pack } from '../../../src/engines/redis/pack.ts';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { commandsTo } from './fixtures.ts';

let redis: RedisProcess;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis.remove());

const script = `
local args = cmsgpack.unpack(ARGV[1])
for i, arg in ipairs(args) do
  if type(arg) == 'number' then args[i] = 'number ' .. string.format('%.17g', arg) end
end
return args
`;

test('what is packed is what a script of Redis unpacks', async () => {
  const client = commandsTo(redis.url);
  const texts = [
    '',
    'a',
    'x'.repeat(32),
    'x'.repeat(33),
    'y'.repeat(70_000),
    'é',
    'a€',
    `${'z'.repeat(31)}😀`,
    '\n ',
  ];
  const bytes = Buffer.from([0, 255, 128, 10]);
  const numbers = [0, -1, 1.5, 2 ** 31, 2 ** 53 - 1];
  const many: Argument[] = Array.from({ length: 7000 }, (_, i) => `${i}`);
  const args: Argument[] = [...texts, bytes, Buffer.alloc(0), ...numbers, ...many];
  const told = (await client.callBuffer('EVAL', script, 0, pack(args))) as Buffer[];
  client.disconnect();
  const wanted = args.map((arg) => (typeof arg === 'number' ? `number ${arg}` : arg));
  expect(told.length).toBe(wanted.length);
  for (const [i, arg] of wanted.entries()) expect(told[i]).toEqual(Buffer.from(arg));
});
