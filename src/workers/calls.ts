import type { MetricValues } from '../metrics/merged-metrics.ts';
import type { Position } from '../protocol/frames.ts';
import type { SessionEvent } from '../sessions/session-events.ts';
import type { Numbering, NumberingOfCommits } from '../topics/engine.ts';
import type { PackedTopic } from './packed.ts';
import type { SeatCalls } from './seats.ts';

/** Where the engine's numbering of commits is. */
export interface CommitFacts {
  readonly epoch: string;
  readonly seq: number;
  readonly forgottenSeq: number;
}

/** The engine as it is once a worker has been told all topics. */
export interface EngineFacts extends CommitFacts {
  readonly name: string;
  readonly topicBytes: number | undefined;
  readonly degraded: string | undefined;
  readonly idle: readonly (readonly [topic: string, numbering: Numbering])[];
  readonly acknowledged: readonly (readonly [topic: string, user: string, position: Position])[];
}

/** Calls of a worker to the engine of its gateway, which runs in the parent process. */
export interface EngineCalls {
  /**
   * First the worker is told by `topic` each topic that holds something, then this returns. After it every change is
   * told, in order.
   */
  join(nothing: undefined): EngineFacts;
  /** As `packRequests` and `packOutcomes` make them. */
  append(requests: Uint8Array): Uint8Array;
  acknowledge(acknowledged: readonly [topic: string, user: string, position: Position]): void;
}

/** What the engine tells its workers. */
export interface EngineNews {
  topic(topic: readonly [name: string, stored: PackedTopic]): void;
  /** As `packAppended` makes it. */
  appended(news: Uint8Array): void;
  /** See `EngineFeed`. */
  reset(
    news: readonly [
      ...about: [topic: string, epoch: string, offset: number],
      ...content: [stored: PackedTopic | undefined, commonSeq: number | undefined],
    ],
  ): void;
  /** See `EngineFeed`. */
  missed(commits: NumberingOfCommits): void;
  /** The content of this topic is gone. */
  forgotten(news: readonly [topic: string, forgottenSeq: number]): void;
  /** `commits`: when the engine works again, its commits may be numbered anew. */
  degraded(news: readonly [cause: string | undefined, commits: CommitFacts]): void;
  acknowledged(acknowledged: readonly [topic: string, user: string, position: Position]): void;
}

/** What a worker needs to know before it starts. */
export interface WorkerStart {
  /** What all other nodes call it. */
  readonly node: string;
  /** The worker 0 also does what one process has to do for all. */
  readonly index: number;
  readonly count: number;
  readonly port: number;
  readonly compatPort: number | undefined;
  readonly adminPort: number | undefined;
  /** The key by which every worker recognizes the gateway's own client. */
  readonly canaryKey: string;
  /** The steady clock of the parent, less the machine's. */
  readonly steadyAheadMs: number;
}

/** Why a worker could not start. */
export interface StartFault {
  readonly message: string;
  readonly code: string | undefined;
  readonly syscall: string | undefined;
}

/** Calls of a worker to its parent. */
export interface ParentCalls extends EngineCalls, SeatCalls {
  start(nothing: undefined): WorkerStart;
  /** It serves: from now on other nodes may call it. */
  serving(nothing: undefined): void;
  ready(nothing: undefined): void;
  failed(fault: StartFault): void;
  /** It is ending: the parent passes it no more connections. */
  stopPassed(nothing: undefined): void;
  /** What its sessions did, in order. Returns once this and all before was heard. */
  sessionEvents(events: readonly SessionEvent[]): void;
  /** The text of a scrape: the metrics of all processes together. */
  metricsText(nothing: undefined): { readonly contentType: string; readonly body: string };
  /** Tells all other nodes: workers of this machine, and those of machines that share the engine. */
  tellNodes(said: readonly [name: string, body: unknown]): void;
  /** Asks all other nodes. Returns the replies of those that reply. */
  askNodes(said: readonly [name: string, body: unknown]): readonly unknown[];
}

/** Calls of the parent to a worker. */
export interface WorkerCalls extends EngineNews {
  drain(nothing: undefined): void;
  /** Reads its configuration anew. */
  reload(nothing: undefined): void;
  metrics(nothing: undefined): MetricValues;
  /** A worker that still works replies at once. */
  ping(nothing: undefined): void;
  nodeTold(said: readonly [name: string, body: unknown, from: string]): void;
  nodeAsked(said: readonly [name: string, body: unknown, from: string]): unknown;
  /** Another node has ended; or a machine, and all nodes on it. */
  nodeGone(name: string): void;
  /** Other machines joined. They know nothing of this one yet, nor this one of them. */
  nodesCame(nothing: undefined): void;
}
