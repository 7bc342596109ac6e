import { afterAll, beforeAll } from 'vitest';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { type CountedRedis, countsSuite } from './counts-suite.ts';
import { commandsTo, serverAt, single } from './fixtures.ts';

let redis: RedisProcess;
let counted: CountedRedis;

beforeAll(async () => {
  redis = await startRedis();
  counted = { server: await serverAt(single(redis.url, 60_000)), commands: commandsTo(redis.url) };
});

afterAll(async () => {
  counted.server.close();
  counted.commands.disconnect();
  await redis.remove();
});

countsSuite(() => counted);
