import { Dispatcher } from '../../src/api/dispatch.ts';
import type { ApiResponse, RequestHead } from '../../src/api/http.ts';
import type { ApiPorts, ConnectionInfo, Readiness } from '../../src/api/ports.ts';
import { PublishBodies } from '../../src/api/publish-body.ts';
import type { RequestRateLimits } from '../../src/api/request-rates.ts';
import { topicReader } from '../../src/api/topic-reader.ts';
import { WorkQueue } from '../../src/api/work-queue.ts';
import { apiKeys } from '../../src/auth/api-keys.ts';
import { authorizer, publishingAuthorizer } from '../../src/auth/authorize.ts';
import { createCredentials } from '../../src/auth/credentials.ts';
import { loopbackAccess } from '../../src/auth/loopback-access.ts';
import { originPolicy } from '../../src/auth/origins.ts';
import { createRequestAccess } from '../../src/auth/request-access.ts';
import type { ConfiguredKey } from '../../src/config/api-keys.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { SluiceError } from '../../src/errors.ts';
import { Departure } from '../../src/sessions/departure.ts';
import { Broker } from '../../src/topics/broker.ts';
import type { TopicOptions } from '../../src/topics/topic.ts';
import { RecordedMetrics } from '../support/metrics.ts';
import { testTokens } from '../support/tokens.ts';

const bodyMaxBytes = 4096;
export const payloadMaxBytes = 1024;
export const nowMs = Date.parse('2026-01-01T00:00:00.000Z');

interface HarnessOptions {
  readonly limits?: RequestRateLimits;
  readonly keys?: readonly (string | ConfiguredKey)[];
  readonly tokenSecret?: string;
  /** Anonymous access is on. */
  readonly anonymous?: boolean;
  readonly origins?: readonly string[];
  readonly connections?: readonly ConnectionInfo[];
  readonly assets?: Readonly<Record<string, Uint8Array>>;
  readonly readiness?: Readiness;
  readonly ports?: Partial<ApiPorts>;
}

interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly peerAddress?: string;
}

export interface Answer extends ApiResponse {
  readonly text: string;
  /** Of a JSON body. */
  json<T = Record<string, never>>(): T;
}

/** The API over a real broker, with everything else in memory; requests come from this machine unless they say so. */
export async function startApi(options: HarnessOptions = {}) {
  let nowAtMs = nowMs;
  const broker = await startBroker(() => nowAtMs);
  const counts = new RecordedMetrics();
  const logged: unknown[] = [];
  const refused: Record<string, unknown>[] = [];
  const connections = new Map((options.connections ?? []).map((each) => [each.id, each]));
  const origins = originPolicy(options.origins ?? []);
  const namespaces = {
    default: { presence: true, anonymous: { subscribe: options.anonymous ?? false, publish: false } },
  };
  const ports: ApiPorts = {
    publisher: broker,
    application: { call: (_, __, payload) => payload },
    payloadMaxBytes: 65_536,
    topics: topicReader({ broker, namespace, subscribers: () => 0 }),
    sessions: {
      count: () => connections.size,
      list({ user, after, limit }) {
        const isAsked = (id: string) => user === undefined || connections.get(id)?.user === user;
        const ids = [...connections.keys()].filter((id) => id > after && isAsked(id)).sort();
        const page = ids.slice(0, limit);
        return {
          connections: page.map((id) => connections.get(id)!),
          next: ids.length > limit ? page.at(-1) : undefined,
        };
      },
      countOf: (user, _topic, except) =>
        [...connections.values()].filter((each) => each.user === user && each.id !== except).length,
      disconnect: (id) => connections.delete(id),
      acknowledge: (id) => (connections.has(id) ? 0 : undefined),
    },
    tokens: {
      clockToleranceMs: 0,
      survivesRestarts: false,
      revocations: () => [],
      revoke: async () => undefined,
      restore: async () => true,
    },
    service: {
      version: '1.2.3',
      stats: () => ({
        state: 'running',
        startedAtMs: nowMs,
        uptimeMs: 90_500,
        engine: { name: 'memory', up: true },
        connections: { active: connections.size, total: 7 },
        users: 3,
        publications: 1,
        deliveries: 2,
        sentBytes: 3,
        topics: broker.size,
        hottest: { 'BTC/USDT': 12.5 },
        subscriptions: { total: 1, topics: 1, busiest: { 'BTC/USDT': 1 } },
      }),
      ready: async () => options.readiness ?? { ok: true, checks: { engine: 'ok' } },
      metricsText: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'sluice_topics 1\n' }),
    },
    assets: (name) => options.assets?.[name],
    authorize: authorizer(namespaces),
    authorizePublishing: publishingAuthorizer(namespaces),
    bodies: new PublishBodies(payloadMaxBytes),
    turns: new WorkQueue({
      nextTurn: setImmediate,
      workMs: () => 0,
      spent: () => undefined,
      waitMs: () => 0,
      refused: () => undefined,
    }),
    bodyMaxBytes,
    ...options.ports,
  };
  const tokens = options.tokenSecret === undefined ? undefined : testTokens(options.tokenSecret);
  const api = new Dispatcher({
    ports,
    requestAccess: createRequestAccess({
      credentials: createCredentials(
        apiKeys((options.keys ?? []).map((key) => (typeof key === 'string' ? { key } : key))),
        tokens,
      ),
      origins,
      loopbackProblem: loopbackAccess({ origins, isProxy: () => false, suspected: () => undefined }),
      refused: (door, error, source) => refused.push({ door, code: error.code, who: error.who, ...source }),
      requestedHostOf: ({ header }) => ({ host: header('host'), isSecure: false }),
      requesterOf: ({ peerAddress, header }) => ({ address: peerAddress, origin: header('origin') }),
      admitsAnonymous: options.anonymous ?? false,
    }),
    origins,
    metrics: counts.metrics,
    log: { error: (fields) => logged.push(fields) },
    ...(options.limits && { limits: options.limits }),
  });

  /** As a transport does it: the head first, then as much of the body as is wanted. */
  async function ask(
    method: string,
    target: string,
    { headers = {}, body = '', peerAddress }: Ask = {},
  ): Promise<Answer> {
    const [path = '', query = ''] = target.split('?');
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const all: Record<string, string> = { host: 'localhost:8080', ...headers };
    if (bytes.length > 0) all['content-length'] ??= String(bytes.length);
    const head: RequestHead = {
      method,
      path,
      query,
      requestId: 'id-of-the-request',
      peerAddress: peerAddress ?? '127.0.0.1',
      forwardedFor: all['x-forwarded-for'] ?? '',
      header: (name) => all[name] ?? '',
      headerLines: (name) => all[name] ?? '',
      headerNames: () => Object.keys(all),
    };
    const opened = api.open(head, new Departure());
    const tooLarge = bytes.length > opened.bodyMaxBytes && opened.bodyMaxBytes > 0;
    const response = await opened.finish(
      tooLarge ? new SluiceError('frame_too_large') : Uint8Array.from(bytes),
    );
    const text = Buffer.from(response.body).toString();
    return { ...response, text, json: <T>() => JSON.parse(text) as T };
  }

  const post = (path: string, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}) =>
    ask('POST', path, { headers: { 'content-type': 'application/json', ...headers }, body });
  const get = (target: string, headers: Readonly<Record<string, string>> = {}) =>
    ask('GET', target, { headers });

  const advance = (ms: number) => {
    nowAtMs += ms;
  };

  return { ask, post, get, advance, broker, ports, counts, logged, refused };
}

const namespace = (name: string): TopicOptions => ({
  mode: name === 'server' ? 'state' : 'stream',
  ttlMs: undefined,
  maxPublications: 5,
  maxAgeMs: 3_600_000,
  maxBytes: 1_000_000,
});

async function startBroker(clock: () => number): Promise<Broker> {
  const nothing = () => undefined;
  const broker = new Broker({
    engine: new MemoryEngine({ isState: (topic) => topic.startsWith('server') }),
    namespace,
    metrics: new RecordedMetrics().metrics,
    payloadMaxBytes,
    topicsMax: 100,
    topicsMaxPerClient: 100,
    topicsMaxBytesPerClient: 48 * 2 ** 20,
    historyMaxBytes: 10_000_000,
    historyMaxBytesPerClient: 10_000_000,
    nowMs: clock,
  });
  await broker.open({ appended: nothing, reset: nothing, removed: nothing });
  return broker;
}
