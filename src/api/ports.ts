import type { Authorize, AuthorizePublishing } from '../auth/authorize.ts';
import type { Revocation } from '../auth/revocations.ts';
import type { Awaitable } from '../awaitable.ts';
import type { Ack, Mode, Position, PublishFields } from '../protocol/frames.ts';
import type { Application } from '../sessions/application.ts';
import type { AppendOutcome } from '../topics/engine.ts';
import type { HistoryPage } from '../topics/history.ts';
import type { Payer } from '../topics/payer.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { PublishBodies } from './publish-body.ts';
import type { WorkQueue } from './work-queue.ts';

export interface PublishPort {
  /**
   * Returns an outcome for each, in order; never rejects. Checks everything but that JSON is JSON. Keeps the payload
   * bytes. `expected`: fails with `position_conflict` unless the newest publication of the topic is there.
   */
  publish(
    publishes: readonly PublishFields[],
    payer: Payer,
    expected?: Position,
  ): Awaitable<readonly AppendOutcome[]>;
}

export interface TopicInfo {
  readonly topic: string;
  /** Empty, with offset 0: nothing was ever published there. */
  readonly epoch: string;
  readonly offset: number;
  readonly mode: Mode;
  /** Held by the ring. */
  readonly publications: number;
  /** The bytes of ring and state. */
  readonly bytes: number;
  /** In state mode. */
  readonly keys?: number;
  /** Sessions that hear it, by name or pattern. */
  readonly subscribers: number;
  /** Milliseconds since 1970. */
  readonly lastPublishedAtMs?: number;
}

/** Part of an ordered list; `next` is the `after` of the part that follows, absent in the last one. */
interface PageEnd {
  readonly next?: string;
}

export interface LatestPage extends PageEnd {
  readonly epoch: string;
  readonly offset: number;
  readonly publications: readonly StoredPublication[];
}

/** Reading an unknown topic creates nothing. */
export interface TopicReader {
  /** Topics with names after `after`, in ascending order. */
  list(query: {
    readonly prefix: string;
    readonly after: string;
    readonly limit: number;
  }): Awaitable<{ readonly topics: readonly TopicInfo[] } & PageEnd>;
  info(topic: string): Awaitable<TopicInfo>;
  /** Without `after`: from the oldest kept publication. */
  history(topic: string, after: number | undefined, limit: number): Awaitable<HistoryPage>;
  /**
   * State mode: the newest publication of each key after `after`, in ascending order, or of one key only. Stream mode:
   * the newest publication, or the newest of one key.
   */
  latest(
    topic: string,
    query: { readonly key?: string; readonly after: string; readonly limit: number },
  ): Awaitable<LatestPage>;
}

export interface ConnectionInfo {
  readonly id: string;
  readonly user?: string;
  /** The name that the client gave itself. */
  readonly client?: string;
  readonly transport: string;
  readonly codec: string;
  readonly address: string;
  /** Milliseconds since 1970, also the other times. */
  readonly connectedAtMs: number;
  /** The time of the last message or pong. */
  readonly lastSeenAtMs: number;
  /** Sent to it. */
  readonly messageCount: number;
  /** It reads too slowly, and gets no live batches at present. */
  readonly lagging?: true | undefined;
  /** Bytes that are buffered for it. Absent: none. */
  readonly unsentBytes?: number | undefined;
  readonly subscriptions: readonly { readonly topic: string; readonly view: number }[];
}

export interface SessionDirectory {
  count(): Awaitable<number>;
  /**
   * Sessions with ids after `after`, in ascending order: fewer than `limit` where their subscriptions fill the page.
   * `topic`: only those subscribed to exactly this name.
   * `lagging`: only those that lag.
   */
  list(query: {
    readonly topic?: string;
    readonly user?: string;
    readonly lagging?: 'true';
    readonly after: string;
    readonly limit: number;
  }): Awaitable<{ readonly connections: readonly ConnectionInfo[] } & PageEnd>;
  /**
   * Connections of a user but for the session `except`. `topic`: only those subscribed to exactly this name. Takes time
   * for these connections alone.
   */
  countOf(user: string, topic?: string, except?: string): Awaitable<number>;
  /** Ends a session with the close code `disconnected`. Returns false where there is none. */
  disconnect(id: string): Awaitable<boolean>;
  /**
   * The client of this session says what it has had. `user`: whose it has to be; absent: anyone's. Returns undefined
   * where there is none, 0 where it was heard, or in how many milliseconds the session may send a command again.
   */
  acknowledge(id: string, acks: readonly Ack[], user?: string): Awaitable<number | undefined>;
}

export interface GatewayStats {
  readonly state: 'running' | 'draining';
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly uptimeMs: number;
  readonly engine: { readonly name: string; readonly up: boolean };
  readonly connections: { readonly active: number; readonly total: number };
  /** Users with at least one connection. */
  readonly users: number;
  /** Committed by the engine. */
  readonly publications: number;
  /** Publications handed to receivers. */
  readonly deliveries: number;
  readonly sentBytes: number;
  readonly topics: number;
  /** Topic -> publications per second of the last whole window; only the topics that got most, the most first. */
  readonly hottest: Readonly<Record<string, number>>;
  readonly subscriptions: {
    readonly total: number;
    /** Topics and patterns with at least one. */
    readonly topics: number;
    /** Topic or pattern -> subscriptions; only the busiest ones, the owner says how many. */
    readonly busiest: Readonly<Record<string, number>>;
  };
}

export interface Readiness {
  readonly ok: boolean;
  /** Check -> "ok" or what failed. Shown to every client, so it holds no secrets and no addresses. */
  readonly checks: Readonly<Record<string, string>>;
}

/** The gateway's own state. */
export interface Service {
  readonly version: string;
  stats(): Awaitable<GatewayStats>;
  /** The engine's full loop: publish and receive. */
  ready(): Promise<Readiness>;
  /** The response to a scrape. */
  metricsText(): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** The tokens that are revoked. */
export interface TokenRevocations {
  /** How far the clocks of issuer and gateway may be apart: so much longer a token is valid. */
  readonly clockToleranceMs: number;
  /** Whether a restart of the gateway forgets them. */
  readonly survivesRestarts: boolean;
  revocations(): Iterable<Revocation>;
  /** Resolves once it is stored; from then on no node lets such a token in, and its connections end. */
  revoke(revocation: Revocation): Promise<void>;
  /** Resolves with whether there was one with this key. */
  restore(key: string): Promise<boolean>;
}

/** Built files for browsers, by name: "dashboard.html". Returns the same array each time; undefined: not built. */
export type Assets = (name: string) => Uint8Array | undefined;

/** What the handlers work with. */
export interface ApiPorts {
  readonly publisher: PublishPort;
  readonly topics: TopicReader;
  readonly sessions: SessionDirectory;
  readonly service: Service;
  readonly assets: Assets;
  readonly tokens: TokenRevocations;
  /** Permission, topic by topic. */
  readonly authorize: Authorize;
  readonly authorizePublishing: AuthorizePublishing;
  readonly turns: WorkQueue;
  /** The application, as far as it wants to be asked. */
  readonly application: Application;
  /** The limit for a payload. */
  readonly payloadMaxBytes: number;
  readonly bodies: PublishBodies;
  /** The limit for the body of a request. */
  readonly bodyMaxBytes: number;
}
