import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { type CountedRedis, countsSuite } from './counts-suite.ts';
import { serverAt, single } from './fixtures.ts';

let redis: RedisProcess;
let counted: CountedRedis;

beforeAll(async () => {
  redis = await startRedis();
  counted = { server: await serverAt(single(redis.url, 60_000)), commands: new Redis(redis.url) };
});

afterAll(async () => {
  counted.server.close();
  counted.commands.disconnect();
  await redis.remove();
});

countsSuite(() => counted);
