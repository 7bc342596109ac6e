import { hostname } from 'node:os';
import type { Config } from '../config.ts';
import { ApplicationEvents } from '../hooks/events.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { endpointOf } from './application.ts';

/** How long the application has to take the last events. */
export const eventsGraceMs = 1000;

/** What the application is told by a whole gateway, of all its processes. */
export interface EventsStage {
  readonly events: ApplicationEvents;
  /** Reads URL and secret anew. */
  reload(): void;
}

/** Undefined: the application wants to be told nothing. */
export function createEvents(
  config: Config,
  metrics: Metrics,
  log: Log,
  monotonicMs: () => number,
): EventsStage | undefined {
  if (config.hookEvents === '') return undefined;
  let endpoint = endpointOf(config, config.hookEvents);
  const events = new ApplicationEvents({
    endpoint: { post: (...asked) => endpoint.post(...asked) },
    gateway: `${hostname()}/${config.port}`,
    queueMaxBytes: config.eventQueueMaxBytes,
    get timeoutMs() {
      return config.hookTimeoutMs;
    },
    monotonicMs,
    metrics,
    log,
  });
  const reload = () => {
    endpoint = endpointOf(config, config.hookEvents);
  };
  return { events, reload };
}
