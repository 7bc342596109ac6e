import type { Metrics } from '../metrics.ts';
import type { RequestObserver } from './ports.ts';

/** Counts requests in the gateway's metrics. */
export function requestMetrics({
  httpRequestsTotal,
  httpRequestSeconds,
  authFailuresTotal,
  rateLimitedTotal,
}: Pick<
  Metrics,
  'httpRequestsTotal' | 'httpRequestSeconds' | 'authFailuresTotal' | 'rateLimitedTotal'
>): RequestObserver {
  return {
    answered(route, status, seconds) {
      httpRequestsTotal.labels({ route, status: String(status) }).inc();
      httpRequestSeconds.labels({ route }).observe(seconds);
    },
    rateLimited: () => rateLimitedTotal.inc({ scope: 'http' }),
    authFailed: (reason) => authFailuresTotal.inc({ reason }),
  };
}
