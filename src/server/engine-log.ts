import { LineBudget } from '../log/line-budget.ts';
import type { Log } from '../log.ts';
import type { EngineFeed } from '../topics/engine.ts';

/** An engine that fails now and then, as on a faulty disk, does not fill the log. */
const lineRate = { linesAtOnce: 5, everyMs: 10_000 };

/** The same feed, which logs once that the engine of this name is away, and once that it is back. */
export function loggedFeed(
  feed: EngineFeed,
  engine: string,
  log: Pick<Log, 'warn' | 'info'>,
  monotonicMs: () => number,
): EngineFeed {
  const budget = new LineBudget(lineRate, monotonicMs);
  let isDegraded = false;
  let isTold = false;
  const away = ({ message: reason }: Error) => {
    const unlogged = budget.take('away');
    isTold = unlogged !== undefined;
    if (isTold) log.warn({ engine, reason, ...unlogged }, 'the engine is away: publishes fail');
  };
  return {
    appended: (topic, epoch, publications) => feed.appended(topic, epoch, publications),
    reset: (topic, epoch, offset, stored) => feed.reset(topic, epoch, offset, stored),
    degraded: (cause) => {
      if (cause !== undefined && !isDegraded) away(cause);
      if (cause === undefined && isDegraded && isTold) log.info({ engine }, 'the engine is back');
      isDegraded = cause !== undefined;
      feed.degraded(cause);
    },
  };
}
