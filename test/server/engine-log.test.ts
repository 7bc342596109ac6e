import { expect, test } from 'vitest';
import { loggedFeed } from '../../src/server/engine-log.ts';

test('says that the engine is away, once for each reason, and once that it is back, and does not fill the log', () => {
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
  const fail = (reason = 'the disk is full') => logged.degraded(new Error(reason));
  fail();
  fail('the disk is gone');
  fail();
  logged.degraded(undefined);
  const away = [{ engine: 'lmdb', reason: 'the disk is full' }, 'the engine is away: publishes fail'];
  const back = [{ engine: 'lmdb' }, 'the engine is back'];
  const gone = [{ engine: 'lmdb', reason: 'the disk is gone' }, away[1]];
  expect(lines.splice(0)).toEqual([away, gone, back]);
  const reasons = ['the disk is full', 'the disk is gone', 'the disk is full', undefined];
  expect(heard.map((cause) => cause?.message)).toEqual(reasons);
  for (let i = 0; i < 20; i++) {
    fail();
    logged.degraded(undefined);
  }
  expect(lines).toHaveLength(6);
  clock.nowMs += 10_000;
  fail();
  expect(lines.slice(6)).toEqual([[{ ...(away[0] as object), unlogged: 17 }, away[1]]]);
});
