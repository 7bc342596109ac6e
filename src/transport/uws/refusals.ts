import type { SluiceError } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';

export type RefusalMetrics = Pick<
  Metrics,
  'connectionsRejectedTotal' | 'authFailuresTotal' | 'rateLimitedTotal'
>;

/** Counts a connection that was refused before it was one. */
export function countRefusal(metrics: RefusalMetrics, error: SluiceError): void {
  const { code } = error;
  metrics.connectionsRejectedTotal.inc({ reason: code });
  if (error.isAuthFault) metrics.authFailuresTotal.inc({ reason: code });
  if (code === 'rate_limited') metrics.rateLimitedTotal.inc({ scope: 'handshake' });
}
