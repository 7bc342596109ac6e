import type { GatewayStats, Readiness, Service } from '../api/ports.ts';
import type { Fanout } from '../fanout/fanout.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { version } from '../version.ts';
import type { Environment } from './environment.ts';
import type { NodeStats } from './node-calls.ts';
import type { Site } from './site.ts';
import type { Storage } from './storage.ts';

/** `GET /api/stats` names this many topics and patterns. */
const busiestTopics = 100;
const hottestTopics = 10;

export interface NodeService extends Service {
  /** The figures of this node alone. */
  own(): NodeStats;
}

/** The gateway's own figures. Its uptime counts from this call. `otherNodes`: absent if there are no other nodes. */
export function createService(
  { config, metrics, monotonicMs, loopDelayMs, isDraining }: Environment,
  { engine, broker, hotTopics }: Storage,
  fanout: Fanout,
  sessions: Pick<Sessions, 'count' | 'users'>,
  site: Pick<Site, 'otherNodes' | 'metricsText'>,
): NodeService {
  const startedAtMs = Date.now();
  const startedAtMonotonicMs = monotonicMs();

  return { version, stats, ready, metricsText, own: () => own(Number.POSITIVE_INFINITY) };

  async function stats(): Promise<GatewayStats> {
    if (site.otherNodes === undefined) return own(busiestTopics).stats;
    const others = await site.otherNodes.ask('stats', undefined);
    return statsTogether([own(Number.POSITIVE_INFINITY), ...others], busiestTopics);
  }

  function own(limit: number): NodeStats {
    const figures: GatewayStats = {
      state: isDraining() ? 'draining' : 'running',
      startedAtMs,
      uptimeMs: monotonicMs() - startedAtMonotonicMs,
      engine: { name: engine.name, up: broker.degradedBy === undefined },
      connections: { active: sessions.count, total: metrics.connectionsTotal.value },
      users: sessions.users.size,
      publications: metrics.publicationsTotal.value,
      deliveries: metrics.deliveriesTotal.value,
      sentBytes: metrics.sentBytesTotal.value,
      topics: broker.size,
      hottest: hotTopics.hottest(hottestTopics),
      subscriptions: fanout.subscriptions(limit),
    };
    return { stats: figures, users: [...sessions.users.names()] };
  }

  async function ready(): Promise<Readiness> {
    if (isDraining()) return { ok: false, checks: { gateway: 'draining' } };
    const engine = await broker.probe();
    const eventLoop = loopProblem();
    const isServing =
      config.engine === 'redis' && config.redisReadyWhileAway && broker.degradedBy !== undefined;
    return {
      ok: (engine === undefined || isServing) && eventLoop === undefined,
      checks: { engine: engine ?? 'ok', eventLoop: eventLoop ?? 'ok' },
    };
  }

  function loopProblem(): string | undefined {
    const delayMs = Math.round(loopDelayMs());
    return delayMs > config.readyLoopDelayMaxMs ? `was held up for ${delayMs} ms of late` : undefined;
  }

  async function metricsText() {
    if (site.metricsText !== undefined) return site.metricsText();
    const { registry } = metrics;
    return { contentType: registry.contentType, body: await registry.metrics() };
  }
}

/** The figures of all nodes. Those that all nodes share are taken once. */
function statsTogether(nodes: readonly NodeStats[], limit: number): GatewayStats {
  const all = nodes.map(({ stats }) => stats);
  const sum = (figure: (stats: GatewayStats) => number) =>
    all.reduce((total, stats) => total + figure(stats), 0);
  const most = (figure: (stats: GatewayStats) => number) => Math.max(...all.map(figure));
  const counts = new Map<string, number>();
  for (const { subscriptions } of all)
    for (const [topic, count] of Object.entries(subscriptions.busiest))
      counts.set(topic, (counts.get(topic) ?? 0) + count);
  const busiest = [...counts].sort(([, a], [, b]) => b - a);
  return {
    ...(all[0] as GatewayStats),
    startedAtMs: Math.min(...all.map(({ startedAtMs }) => startedAtMs)),
    uptimeMs: most(({ uptimeMs }) => uptimeMs),
    connections: {
      active: sum(({ connections }) => connections.active),
      total: sum(({ connections }) => connections.total),
    },
    users: new Set(nodes.flatMap(({ users }) => users)).size,
    publications: most(({ publications }) => publications),
    deliveries: sum(({ deliveries }) => deliveries),
    sentBytes: sum(({ sentBytes }) => sentBytes),
    subscriptions: {
      total: sum(({ subscriptions }) => subscriptions.total),
      topics: busiest.filter(([, count]) => count > 0).length,
      busiest: Object.fromEntries(busiest.slice(0, limit)),
    },
  };
}
