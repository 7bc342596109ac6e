import type { Metrics } from '../metrics.ts';
import type { RequestObserver } from './ports.ts';

/** Counts requests in the gateway's metrics. */
export function requestMetrics({
  httpRequestsTotal,
  httpRequestSeconds,
  authFailuresTotal,
}: Pick<Metrics, 'httpRequestsTotal' | 'httpRequestSeconds' | 'authFailuresTotal'>): RequestObserver {
  return {
    answered(route, status, seconds) {
      httpRequestsTotal.labels({ route, status: String(status) }).inc();
      httpRequestSeconds.labels({ route }).observe(seconds);
    },
    authFailed: (reason) => authFailuresTotal.inc({ reason }),
  };
}
