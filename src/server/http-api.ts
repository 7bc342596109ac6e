import { assetsOf } from '../api/assets.ts';
import { type Api, createApi } from '../api/dispatch.ts';
import { PublishBodies } from '../api/publish-body.ts';
import { sessionDirectory } from '../api/session-directory.ts';
import { topicReader } from '../api/topic-reader.ts';
import { Turns } from '../api/turns.ts';
import { publishingAuthorizer } from '../auth/authorize.ts';
import { addressKey } from '../auth/client-address.ts';
import type { Fanout } from '../fanout/fanout.ts';
import { RequestLimits } from '../sessions/request-limits.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Access } from './access.ts';
import type { Compat } from './compat.ts';
import type { Environment, Swept } from './environment.ts';
import { createService } from './service.ts';
import type { Storage } from './storage.ts';

/** The files for browsers that `npm run build` makes: found from dist/server and from src/server. */
const webFolder = new URL('../../dist/web/', import.meta.url);

export interface HttpApi {
  readonly api: Api;
  readonly swept: readonly Swept[];
}

/** The routes of HTTP, and how often clients may ask them. */
export function createHttpApi(
  environment: Environment,
  storage: Storage,
  fanout: Fanout,
  sessions: Sessions,
  access: Access,
  compat: Compat,
): HttpApi {
  const { config, log, metrics, monotonicMs, workMs } = environment;
  const { authorize, origins, requestAccess, addressOf } = access;
  const { broker, topicOptions } = storage;
  const limits = new RequestLimits(config, monotonicMs);
  const api = createApi({
    ports: {
      publisher: broker,
      topics: topicReader({
        broker,
        namespace: topicOptions,
        subscribers: (topic) => fanout.subscribers(topic),
      }),
      sessions: sessionDirectory(sessions),
      service: createService(environment, storage, fanout, sessions),
      assets: assetsOf(webFolder),
      authorize,
      authorizePublishing: publishingAuthorizer(config.namespaces),
      bodies: new PublishBodies(config.payloadMaxBytes),
      turns: new Turns({
        nextTurn: setImmediate,
        workMs,
        spent: (account, ms) => limits.spent(account, ms, 0),
      }),
      bodyMaxBytes: config.bodyMaxBytes,
    },
    moreRoutes: compat.routes,
    requestAccess,
    origins,
    metrics,
    log,
    limits,
    workMs,
    addressKey: (head) => addressKey(addressOf(head)),
  });
  return { api, swept: [limits] };
}
