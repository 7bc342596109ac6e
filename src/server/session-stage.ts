import { setImmediate } from 'node:timers/promises';
import { PageCache } from '../catch-up/page-cache.ts';
import { namespaceOptions } from '../config.ts';
import type { Fanout } from '../fanout/fanout.ts';
import { HeldBytes } from '../sessions/charges.ts';
import { ConnectionLimits } from '../sessions/connection-limits.ts';
import { logConnections } from '../sessions/connection-log.ts';
import { Inbox } from '../sessions/inbox.ts';
import { Presence } from '../sessions/presence.ts';
import type { SessionEvents } from '../sessions/session-events.ts';
import { Sessions } from '../sessions/sessions.ts';
import { StateNews } from '../sessions/state-news.ts';
import { Subscriber } from '../sessions/subscribe.ts';
import type { TurnBudget } from '../sessions/turn-budget.ts';
import type { Broker } from '../topics/broker.ts';
import { namespaceOf } from '../topics/topic-name.ts';
import { version } from '../version.ts';
import type { Access } from './access.ts';
import type { Compat } from './compat.ts';
import { pageBytesOf } from './delivery.ts';
import type { Environment, Swept } from './environment.ts';
import type { Site } from './site.ts';

/** The stages that sessions use. */
export interface SessionStageParts {
  readonly broker: Broker;
  readonly fanout: Fanout;
  readonly access: Access;
  readonly compat: Compat;
  readonly turnBudget: TurnBudget;
  readonly site: Site;
  readonly events: SessionEvents | undefined;
}

export interface SessionStage {
  readonly sessions: Sessions;
  readonly presence: Presence;
  readonly connectionLimits: ConnectionLimits;
  readonly stateNews: StateNews;
  readonly swept: readonly Swept[];
}

/** Catch-up pages of clients that reconnect: thousands of publications, kept for seconds. */
const pageCacheMaxBytes = 4 * 1024 * 1024;
/** Large messages that wait for a later turn to be decoded. */
const waitingMessagesMaxBytes = 16 * 1024 * 1024;

/** Builds sessions, their commands, their subscriptions, and the stage that they catch up by. */
export function createSessions(
  environment: Environment,
  { broker, fanout, access, compat, turnBudget, site, events }: SessionStageParts,
): SessionStage {
  const { config, log, metrics, monotonicMs, workMs, requestTurn } = environment;
  const { authorize, credentials, refused, application } = access;
  const optionsOf = (topic: string) => namespaceOptions(config, namespaceOf(topic));
  const presence = new Presence({
    fanout,
    isOn: (topic) => optionsOf(topic).presence,
    held: new HeldBytes({
      perPayer: config.presenceMaxBytes / 4,
      total: config.presenceMaxBytes,
      leavesRoom: true,
    }),
    metrics,
    nowMs: () => broker.wallMs(),
    peers: site.peers,
  });
  const inbox = new Inbox({ broker, isOn: (topic) => optionsOf(topic).inbox });
  const pageCache = new PageCache({
    maxBytes: pageCacheMaxBytes,
    compressMinBytes: config.compressMinBytes,
    metrics,
  });
  // At least as much as the largest message needs, whatever `requestsMaxBytesPerClient` is.
  const pendingMaxBytes = Math.max(config.requestsMaxBytesPerClient, 2 * config.frameMaxBytes);
  const connectionLimits = new ConnectionLimits(config, environment.arrival, site.caps);
  const subscriber = new Subscriber({
    broker,
    fanout,
    authorize,
    presence,
    inbox,
    dictionaries: config.compressMinBytes > 0 && config.dictionaryMinBytes > 0,
    conflates: (target) => optionsOf(target).conflate,
    modeOf: (topic) => optionsOf(topic).mode,
    get subscriptionsPerSession() {
      return config.subscriptionsPerSession;
    },
    topicTokens: access.topicTokens,
    application,
    metrics,
  });
  const sessions = new Sessions({
    connectionLimits,
    subscriber,
    context: {
      broker,
      fanout,
      presence,
      catchUp: {
        nowMs: () => broker.nowMs(),
        get pageBytes() {
          return pageBytesOf(config);
        },
        pages: pageCache,
        modeOf: (topic) => optionsOf(topic).mode,
        metrics,
      },
      monotonicMs,
      backpressureMaxBytes: config.backpressureMaxBytes,
      metrics,
      turnBudget,
      turn: requestTurn,
      events,
    },
    commands: {
      broker,
      presence,
      inbox,
      identify: (credential) => credentials.identify(credential),
      authorize,
      application,
      payloadMaxBytes: config.payloadMaxBytes,
      answerCall: compat.answerCall,
      metrics,
    },
    limits: {
      frameMaxBytes: config.frameMaxBytes,
      payloadMaxBytes: config.payloadMaxBytes,
      get subscriptions() {
        return config.subscriptionsPerSession;
      },
      get commandsPerSecond() {
        return config.commandsPerSecond;
      },
      idleTimeoutMs: config.idleTimeoutSeconds * 1000,
    },
    waitingMessages: new HeldBytes({
      perPayer: 2 * config.frameMaxBytes,
      total: Math.max(waitingMessagesMaxBytes, 2 * config.frameMaxBytes),
    }),
    pendingCommands: new HeldBytes({
      perPayer: pendingMaxBytes,
      total: Math.max(config.requestsMaxBytes, 2 * pendingMaxBytes),
      leavesRoom: true,
    }),
    workMs,
    version,
    writeTimeoutMs: config.writeTimeoutSeconds * 1000,
    backpressureTotalMaxBytes: config.backpressureTotalMaxBytes,
    metrics,
    log,
    refused,
    ended: logConnections(log, monotonicMs),
    observer: compat.sessions,
  });
  const stateNews = new StateNews({
    sessions: () => sessions.all(),
    isDegraded: () => broker.degradedBy !== undefined,
    nextTurn: setImmediate,
  });
  return {
    sessions,
    presence,
    connectionLimits,
    stateNews,
    swept: [sessions, subscriber, inbox, pageCache, compat.sessions],
  };
}
