import type { GatewayStats, Readiness, Service } from '../api/ports.ts';
import type { Fanout } from '../fanout/fanout.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { version } from '../version.ts';
import type { Environment } from './environment.ts';
import type { Storage } from './storage.ts';

/** `GET /api/stats` names this many topics and patterns. */
const busiestTopics = 100;

/** What the gateway says about itself. Its uptime counts from this call. */
export function createService(
  { metrics, monotonicMs, isDraining }: Environment,
  { engineName, broker }: Storage,
  fanout: Fanout,
  sessions: Sessions,
): Service {
  const startedAtMs = Date.now();
  const startedAtMonotonicMs = monotonicMs();

  return { version, stats, ready, metricsText };

  function stats(): GatewayStats {
    return {
      state: isDraining() ? 'draining' : 'running',
      startedAtMs,
      uptimeMs: monotonicMs() - startedAtMonotonicMs,
      engine: { name: engineName, up: broker.degradedBy === undefined },
      connections: { active: sessions.count, total: metrics.connectionsTotal.value },
      users: sessions.userCount,
      publications: metrics.publicationsTotal.value,
      deliveries: metrics.deliveriesTotal.value,
      sentBytes: metrics.sentBytesTotal.value,
      topics: broker.size,
      subscriptions: fanout.subscriptions(busiestTopics),
    };
  }

  async function ready(): Promise<Readiness> {
    if (isDraining()) return { ok: false, checks: { gateway: 'draining' } };
    const problem = await broker.probe();
    return { ok: problem === undefined, checks: { engine: problem ?? 'ok' } };
  }

  async function metricsText() {
    const { registry } = metrics;
    return { contentType: registry.contentType, body: await registry.metrics() };
  }
}
