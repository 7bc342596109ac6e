import { expect, test } from 'vitest';
import { loggedFeed } from '../../src/server/engine-log.ts';

test('says once that the engine is away and once that it is back, and does not fill the log', () => {
  const lines: [fields: unknown, message?: string][] = [];
  const heard: (Error | undefined)[] = [];
  const log = {
    warn: (...line: [unknown, string]) => void lines.push(line),
    info: (...line: [unknown, string]) => void lines.push(line),
  };
  const clock = { nowMs: 0 };
  const feed = {
    appended: () => undefined,
    reset: () => undefined,
    degraded: (cause: Error | undefined) => void heard.push(cause),
  };
  const logged = loggedFeed(feed, 'lmdb', log as never, () => clock.nowMs);
  const fail = () => logged.degraded(new Error('the disk is full'));
  fail();
  fail();
  logged.degraded(undefined);
  const away = [{ engine: 'lmdb', reason: 'the disk is full' }, 'the engine is away: publishes fail'];
  const back = [{ engine: 'lmdb' }, 'the engine is back'];
  expect(lines).toEqual([away, back]);
  expect(heard.map((cause) => cause?.message)).toEqual(['the disk is full', 'the disk is full', undefined]);
  for (let i = 0; i < 20; i++) {
    fail();
    logged.degraded(undefined);
  }
  expect(lines).toHaveLength(10);
  clock.nowMs += 10_000;
  fail();
  expect(lines.slice(10)).toEqual([[{ ...(away[0] as object), unlogged: 16 }, away[1]]]);
});
