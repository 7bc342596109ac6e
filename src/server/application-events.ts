import { hostname } from 'node:os';
import type { Config } from '../config.ts';
import { ClusterOccupancy, type OtherGateways } from '../hooks/cluster-occupancy.ts';
import { ApplicationEvents } from '../hooks/events.ts';
import type { OccupancyListener } from '../hooks/occupancy.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { endpointOf } from './application.ts';
import type { BusLine } from './bus-line.ts';

/** At shutdown, the time that the application has to take the last events. */
export const eventsGraceMs = 1000;

/** The events of a whole gateway, of all its processes, for the application. */
export interface EventsStage {
  /** The topics that several gateways occupy; undefined: this one is alone. */
  readonly occupancy: ClusterOccupancy | undefined;
  readonly events: ApplicationEvents;
  /** Reads URL and secret anew. */
  reload(): void;
}

/** Undefined: no hook for events is configured. */
export function createEvents(
  config: Config,
  metrics: Metrics,
  log: Log,
  monotonicMs: () => number,
  gateways?: OtherGateways,
): EventsStage | undefined {
  if (config.hookEvents === '') return undefined;
  const gateway = `${hostname()}/${config.port}`;
  let occupancy: ClusterOccupancy | undefined;
  const share = (listener: OccupancyListener) => {
    occupancy = new ClusterOccupancy({ gateways: gateways!, listener, monotonicMs });
    return occupancy;
  };
  let endpoint = endpointOf(config, config.hookEvents);
  const events = new ApplicationEvents({
    endpoint: { post: (...asked) => endpoint.post(...asked) },
    gateway,
    group: gateways === undefined ? gateway : `redis/${config.redisPrefix}`,
    ...(gateways === undefined ? {} : { occupancy: share }),
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
  return { events, occupancy, reload };
}

/** The other gateways of one engine. `isAway`: the engine can't be reached. */
export function otherGateways(line: BusLine, isAway: () => boolean): OtherGateways {
  return {
    name: line.nameOf(),
    get others() {
      return line.others;
    },
    get isAway() {
      return isAway();
    },
    tell: (news) => line.tell(occupancyCall, news),
  };
}

/** The name of the call by which gateways tell each other their occupied topics. */
export const occupancyCall = 'occupancy';
