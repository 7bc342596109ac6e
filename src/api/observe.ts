import type { BareCounter, Metrics } from '../metrics.ts';
import type { RequestObserver } from './ports.ts';

/** Counts requests in the gateway's metrics. Routes and statuses are few, so their counters are kept. */
export function requestMetrics(
  metrics: Pick<Metrics, 'httpRequestsTotal' | 'httpRequestSeconds' | 'authFailuresTotal'>,
): RequestObserver {
  const counters = new Map<string, BareCounter>();
  const counterOf = (route: string, status: number): BareCounter => {
    const name = `${status} ${route}`;
    const known = counters.get(name);
    if (known !== undefined) return known;
    const counter = metrics.httpRequestsTotal.labels({ route, status: String(status) });
    counters.set(name, counter);
    return counter;
  };
  return {
    answered(route, status, seconds) {
      counterOf(route, status).inc();
      metrics.httpRequestSeconds.observe({ route }, seconds);
    },
    authFailed: (reason) => metrics.authFailuresTotal.inc({ reason }),
  };
}
