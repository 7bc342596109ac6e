import type { BareCounter, Metrics } from '../metrics.ts';
import type { RequestObserver } from './ports.ts';

/** Counts requests in the gateway's metrics. Routes and statuses are few, so their counters are kept. */
export function requestMetrics(
  metrics: Pick<Metrics, 'httpRequestsTotal' | 'httpRequestSeconds' | 'authFailuresTotal'>,
): RequestObserver {
  const routes = new Map<string, RouteMetrics>();

  function metricsOf(route: string): RouteMetrics {
    let found = routes.get(route);
    if (found === undefined) {
      found = { labels: { route }, byStatus: new Map() };
      routes.set(route, found);
    }
    return found;
  }

  function counterOf({ labels, byStatus }: RouteMetrics, status: number): BareCounter {
    let counter = byStatus.get(status);
    if (counter === undefined) {
      counter = metrics.httpRequestsTotal.labels({ ...labels, status: String(status) });
      byStatus.set(status, counter);
    }
    return counter;
  }

  return {
    answered(route, status, seconds) {
      const found = metricsOf(route);
      counterOf(found, status).inc();
      metrics.httpRequestSeconds.observe(found.labels, seconds);
    },
    authFailed: (reason) => metrics.authFailuresTotal.inc({ reason }),
  };
}

interface RouteMetrics {
  readonly labels: { readonly route: string };
  readonly byStatus: Map<number, BareCounter>;
}
