import { assetsOf } from '../api/assets.ts';
import { type Api, type ApiOptions, Dispatcher } from '../api/dispatch.ts';
import { PublishBodies } from '../api/publish-body.ts';
import type { Route } from '../api/route.ts';
import {
  type DirectoryCalls,
  directoryHandlers,
  sessionDirectory,
  sharedDirectory,
} from '../api/session-directory.ts';
import { sharedTopics, type TopicCalls, topicHandlers, topicReader } from '../api/topic-reader.ts';
import { WorkQueue } from '../api/work-queue.ts';
import { addressKey } from '../auth/client-address.ts';
import type { Fanout } from '../fanout/fanout.ts';
import type { NodeHandlers } from '../other-nodes.ts';
import { RequestLimits } from '../sessions/limits/request-limits.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Topic } from '../topics/topic.ts';
import type { Access } from './access.ts';
import type { Compat } from './compat.ts';
import type { Environment, Swept } from './environment.ts';
import type { NodeCalls } from './node-calls.ts';
import type { RevocationStage } from './revocations.ts';
import { createService } from './service.ts';
import type { Site } from './site.ts';
import type { Storage } from './storage.ts';

/** The files for browsers that `npm run build` makes: found from dist/server and from src/server. */
const webFolder = new URL('../../dist/web/', import.meta.url);

/** The stages that the routes use. */
export interface HttpApiParts {
  readonly storage: Storage;
  readonly fanout: Fanout;
  readonly sessions: Sessions;
  readonly access: Access;
  readonly compat: Compat;
  readonly revocations: RevocationStage;
  readonly site: Site;
}

export interface HttpApi {
  readonly api: Api;
  /** Has all routes; `api` is without the administration, where that has a port of its own. */
  readonly adminApi: Api;
  /** What other nodes may ask this one. */
  readonly nodeHandlers: NodeHandlers<DirectoryCalls & TopicCalls & Pick<NodeCalls, 'stats'>>;
  readonly limits: RequestLimits;
  /** Reads the limits again. */
  reload(): void;
  readonly swept: readonly Swept[];
}

/** For the routes with a port of their own, where one is configured. */
function isPublic({ access }: Route): boolean {
  return access !== 'admin' && access !== 'metrics';
}

/** The routes of HTTP, and how often clients may ask them. */
export function createHttpApi(
  environment: Environment,
  { storage, fanout, sessions, access, compat, revocations, site }: HttpApiParts,
): HttpApi {
  const { otherNodes, metricsText } = site;
  const { config, log, metrics, workMs } = environment;
  const { authorize, origins, requestAccess, addressOf } = access;
  const { broker, topicOptions } = storage;
  const limits = new RequestLimits(config, environment.arrival);
  const subscribers = (topic: Topic) => fanout.subscribers(topic);
  const topics = topicReader({ broker, namespace: topicOptions, subscribers });
  const directory = sessionDirectory(sessions);
  const service = createService(environment, storage, fanout, sessions, { otherNodes, metricsText });
  const options: ApiOptions = {
    ports: {
      publisher: broker,
      topics: otherNodes === undefined ? topics : sharedTopics(topics, otherNodes),
      sessions: otherNodes === undefined ? directory : sharedDirectory(directory, otherNodes),
      service,
      assets: assetsOf(webFolder),
      tokens: {
        get clockToleranceMs() {
          return config.tokenClockToleranceSeconds * 1000;
        },
        survivesRestarts: config.engine !== 'memory',
        revocations: () => revocations.revocations.all(),
        revoke: (each) => revocations.revoke(each),
        restore: (key) => revocations.restore(key),
      },
      authorize,
      application: access.application,
      payloadMaxBytes: config.payloadMaxBytes,
      authorizePublishing: access.authorizePublishing,
      bodies: new PublishBodies(config.payloadMaxBytes),
      turns: new WorkQueue({
        nextTurn: setImmediate,
        workMs,
        spent: (account, ms, bytes) => limits.spent(account, ms, bytes),
        waitMs: (account) => limits.workWaitMs(account),
        refused: () => metrics.rateLimitedTotal.inc({ scope: 'http' }),
      }),
      bodyMaxBytes: config.bodyMaxBytes,
    },
    moreRoutes: compat.routes,
    requestAccess,
    origins,
    metrics,
    log,
    limits,
    refused: access.refused,
    workMs,
    addressKey: (head) => addressKey(addressOf(head)),
  };
  const nodeHandlers = {
    ...directoryHandlers(directory),
    ...topicHandlers({ broker, subscribers }),
    stats: () => service.own(),
  };
  const adminApi = new Dispatcher(options);
  const api = config.adminPort === undefined ? adminApi : new Dispatcher({ ...options, serves: isPublic });
  return { api, adminApi, nodeHandlers, limits, reload: () => limits.reload(), swept: [limits] };
}
