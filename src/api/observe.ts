import type { BareCounter, BareHistogram, Metrics } from '../metrics.ts';
import type { RequestObserver } from './ports.ts';

/** Counts requests in the gateway's metrics. Routes and statuses are few, so their counters are kept. */
export function requestMetrics(
  metrics: Pick<Metrics, 'httpRequestsTotal' | 'httpRequestSeconds' | 'authFailuresTotal'>,
): RequestObserver {
  const routes = new Map<string, RouteMetrics>();

  function metricsOf(route: string): RouteMetrics {
    let found = routes.get(route);
    if (found === undefined) {
      found = { route, seconds: metrics.httpRequestSeconds.labels({ route }), byStatus: new Map() };
      routes.set(route, found);
    }
    return found;
  }

  function counterOf({ route, byStatus }: RouteMetrics, status: number): BareCounter {
    let counter = byStatus.get(status);
    if (counter === undefined) {
      counter = metrics.httpRequestsTotal.labels({ route, status: String(status) });
      byStatus.set(status, counter);
    }
    return counter;
  }

  return {
    answered(route, status, seconds) {
      const found = metricsOf(route);
      counterOf(found, status).inc();
      found.seconds.observe(seconds);
    },
    authFailed: (reason) => metrics.authFailuresTotal.inc({ reason }),
  };
}

interface RouteMetrics {
  readonly route: string;
  readonly seconds: BareHistogram;
  readonly byStatus: Map<number, BareCounter>;
}
