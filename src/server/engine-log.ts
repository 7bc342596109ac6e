import { LineBudget } from '../log/line-budget.ts';
import type { Log } from '../log.ts';
import type { EngineFeed } from '../topics/engine.ts';

/** An engine that fails now and then, as on a faulty disk, does not fill the log. */
const lineRate = { linesAtOnce: 5, everyMs: 10_000 };
/** Reasons that are logged of one outage. */
const reasonsMax = 10;

/**
 * The same feed, which logs that the engine of this name is away, once for each reason: what ended a connection is
 * rarely what keeps it from being made again. And it logs once that it is back.
 */
export function loggedFeed(
  feed: EngineFeed,
  engine: string,
  log: Pick<Log, 'warn' | 'info'>,
  monotonicMs: () => number,
): EngineFeed {
  const budget = new LineBudget(lineRate, monotonicMs);
  /** Of this outage; empty: there is none. */
  const reasons = new Set<string>();
  let isTold = false;
  const away = ({ message: reason }: Error) => {
    if (reasons.has(reason) || reasons.size === reasonsMax) return;
    reasons.add(reason);
    const unlogged = budget.take('away');
    if (unlogged === undefined) return;
    isTold = true;
    log.warn({ engine, reason, ...unlogged }, 'the engine is away: publishes fail');
  };
  const back = () => {
    if (isTold) log.info({ engine }, 'the engine is back');
    isTold = false;
    reasons.clear();
  };
  return {
    appended: (topic, epoch, publications) => feed.appended(topic, epoch, publications),
    reset: (...about) => feed.reset(...about),
    missed: (commits) => feed.missed?.(commits),
    degraded: (cause) => {
      if (cause === undefined) back();
      else away(cause);
      feed.degraded(cause);
    },
  };
}
