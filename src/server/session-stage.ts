import { setImmediate } from 'node:timers/promises';
import { PageCache } from '../catch-up/page-cache.ts';
import { type Config, namespaceOptions } from '../config.ts';
import type { Fanout } from '../fanout/fanout.ts';
import { namespaceOf } from '../protocol/namespace.ts';
import { ConnectionLimits } from '../sessions/admission/connection-limits.ts';
import { logConnections } from '../sessions/admission/connection-log.ts';
import { HeldByPayers, HeldBytes } from '../sessions/limits/charges.ts';
import type { TurnBudget } from '../sessions/limits/turn-budget.ts';
import type { ReportEvent } from '../sessions/session-events.ts';
import { Sessions, type SessionsOptions } from '../sessions/sessions.ts';
import { StateNews } from '../sessions/subscriptions/state-news.ts';
import { Subscriber } from '../sessions/subscriptions/subscribe.ts';
import { Inbox } from '../sessions/users/inbox.ts';
import { Presence } from '../sessions/users/presence.ts';
import type { Broker } from '../topics/broker.ts';
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
  readonly report: ReportEvent | undefined;
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

/** What the parts of this stage need of each other. */
interface Members {
  readonly presence: Presence;
  readonly inbox: Inbox;
  readonly pageCache: PageCache;
}

/** Builds sessions, their commands, their subscriptions, and the stage that they catch up by. */
export function createSessions(environment: Environment, parts: SessionStageParts): SessionStage {
  const { config, log, metrics, monotonicMs, workMs } = environment;
  const { broker, fanout, access, compat, site } = parts;
  const members: Members = {
    presence: createPresence(environment, parts),
    inbox: new Inbox({ broker, fanout, isOn: (topic) => optionsOf(config, topic).inbox }),
    pageCache: new PageCache({
      maxBytes: pageCacheMaxBytes,
      compressMinBytes: config.compressMinBytes,
      metrics,
    }),
  };
  const connectionLimits = new ConnectionLimits(config, environment.arrival, site.caps);
  const subscriber = createSubscriber(environment, parts, members);
  const sessions = new Sessions({
    connectionLimits,
    subscriber,
    context: contextOf(environment, parts, members),
    commands: commandsOf(environment, parts, members),
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
    ...waitingBytes(config),
    workMs,
    version,
    writeTimeoutMs: config.writeTimeoutSeconds * 1000,
    backpressureTotalMaxBytes: config.backpressureTotalMaxBytes,
    metrics,
    log,
    refused: access.refused,
    ended: logConnections(log, monotonicMs),
    observer: compat.sessions,
  });
  const stateNews = new StateNews({
    sessions: () => sessions.all(),
    isDegraded: () => broker.degradedBy !== undefined,
    nextTurn: setImmediate,
  });
  const { presence, inbox, pageCache } = members;
  return {
    sessions,
    presence,
    connectionLimits,
    stateNews,
    swept: [sessions, subscriber, inbox, pageCache, compat.sessions],
  };
}

function optionsOf(config: Config, topic: string) {
  return namespaceOptions(config, namespaceOf(topic));
}

function createPresence(
  { config, metrics }: Environment,
  { broker, fanout, site }: SessionStageParts,
): Presence {
  return new Presence({
    fanout,
    isOn: (topic) => optionsOf(config, topic).presence,
    held: new HeldBytes({
      perPayer: config.presenceMaxBytes / 4,
      total: config.presenceMaxBytes,
      leavesRoom: true,
    }),
    metrics,
    nowMs: () => broker.wallMs(),
    otherNodes: site.otherNodes,
  });
}

function createSubscriber(
  { config, metrics }: Environment,
  { broker, fanout, access, turnBudget }: SessionStageParts,
  { presence, inbox }: Members,
): Subscriber {
  const { authorize, topicTokens, application } = access;
  return new Subscriber({
    broker,
    fanout,
    authorize,
    presence,
    inbox,
    topicTokens,
    application,
    metrics,
    turnBudget,
    backlogs: createBacklogs(metrics),
    dictionaries: config.compressMinBytes > 0 && config.dictionaryMinBytes > 0,
    conflates: (target) => optionsOf(config, target).conflate,
    modeOf: (topic) => optionsOf(config, topic).mode,
    get subscriptionsPerSession() {
      return config.subscriptionsPerSession;
    },
  });
}

/** The bound on lists of topics that subscribers of patterns lack. The longest list takes about 5 MB. */
function createBacklogs(metrics: Environment['metrics']): HeldBytes {
  const backlogs = new HeldBytes({ perPayer: 8 * 2 ** 20, total: 32 * 2 ** 20, leavesRoom: true });
  metrics.onScrape(() => metrics.patternBacklogBytes.set(backlogs.total));
  return backlogs;
}

/** What all sessions share. */
function contextOf(
  { config, metrics, monotonicMs, requestTurn }: Environment,
  { broker, fanout, turnBudget, report }: SessionStageParts,
  { presence, pageCache }: Members,
): SessionsOptions['context'] {
  return {
    broker,
    fanout,
    presence,
    monotonicMs,
    metrics,
    turnBudget,
    report,
    catchUp: {
      nowMs: () => broker.nowMs(),
      get pageBytes() {
        return pageBytesOf(config);
      },
      pages: pageCache,
      modeOf: (topic) => optionsOf(config, topic).mode,
      metrics,
    },
    backpressureMaxBytes: config.backpressureMaxBytes,
    turn: requestTurn,
  };
}

/** What commands use. */
function commandsOf(
  { config, metrics }: Environment,
  { broker, access, compat }: SessionStageParts,
  { presence, inbox }: Members,
): SessionsOptions['commands'] {
  const { authorize, credentials, refusal, application } = access;
  return {
    broker,
    presence,
    inbox,
    authorize,
    refusal,
    application,
    metrics,
    identify: (credential) => credentials.identify(credential),
    payloadMaxBytes: config.payloadMaxBytes,
    answerCall: compat.answerCall,
  };
}

/** The bounds on messages that wait to be decoded, and on commands that wait to run. */
function waitingBytes(config: Config): Pick<SessionsOptions, 'waitingMessages' | 'pendingCommands'> {
  // At least as much as the largest message needs, whatever the options are.
  const largestBytes = 2 * config.frameMaxBytes;
  const pendingMaxBytes = Math.max(config.requestsMaxBytesPerClient, largestBytes);
  return {
    waitingMessages: new HeldByPayers({
      perPayer: largestBytes,
      total: Math.max(waitingMessagesMaxBytes, largestBytes),
    }),
    pendingCommands: new HeldBytes({
      perPayer: pendingMaxBytes,
      total: Math.max(config.requestsMaxBytes, 2 * pendingMaxBytes),
      leavesRoom: true,
    }),
  };
}
