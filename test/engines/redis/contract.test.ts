import { afterAll, beforeAll } from 'vitest';
import { RedisUpstream } from '../../../src/engines/redis/upstream.ts';
import { ReplicaEngine } from '../../../src/engines/replica/engine.ts';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { engineContract } from '../contract.ts';

let redis: RedisProcess;
let sets = 0;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis.remove());

engineContract('redis', () => {
  const prefix = `set${sets++}`;
  return ({ nowMs, ring, isState, numberingsMax, messageIds, acknowledged }) =>
    new ReplicaEngine({
      upstream: new RedisUpstream({
        server: {
          ...{
            urls: [redis.url],
            kind: 'single',
            sentinelName: '',
            username: undefined,
            password: undefined,
          },
          timeoutMs: 5000,
        },
        prefix,
        minReplicas: 0,
        retention: (topic) => ({ ...ring, mode: isState(topic) ? 'state' : 'stream' }),
        numberingsMax,
        nowMs,
      }),
      messageIds,
      acknowledged,
      nowMs,
    });
});
