import type { Log } from '../log.ts';
import type { EngineFeed } from '../topics/engine.ts';

/** The same feed, which logs once that the engine is away, and once that it is back. */
export function loggedFeed(feed: EngineFeed, log: Pick<Log, 'warn' | 'info'>): EngineFeed {
  let isDegraded = false;
  return {
    appended: (topic, epoch, publications) => feed.appended(topic, epoch, publications),
    reset: (topic, epoch, offset, stored) => feed.reset(topic, epoch, offset, stored),
    degraded: (cause) => {
      if (cause !== undefined && !isDegraded)
        log.warn({ reason: cause.message }, 'the engine is away: publishes fail');
      if (cause === undefined && isDegraded) log.info('the engine is back');
      isDegraded = cause !== undefined;
      feed.degraded(cause);
    },
  };
}
