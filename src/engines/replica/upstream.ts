import type { Position } from '../../protocol/frames.ts';
import type {
  AppendOutcome,
  AppendRequest,
  NodeBus,
  NodeCounts,
  Numbering,
  StoredTopic,
} from '../../topics/engine.ts';
import type { StoredPublication } from '../../topics/publication.ts';

/** A topic in the upstream, without its content. */
export interface UpstreamHead extends Numbering {
  /** The newest commit when its content went; undefined: it has content. */
  readonly idleAtSeq: number | undefined;
  /**
   * Until when a message id of the topic may be remembered, in milliseconds on the clock of the node. 0: there is none.
   */
  readonly idsUntilMs: number;
}

/** How far a client of this user has had the topic. */
export interface Acknowledgement {
  readonly topic: string;
  readonly user: string;
  readonly position: Position;
}

/** Everything that an upstream knows, at one point of its order. */
export interface Picture {
  /** The identity of the numbering of commits. */
  readonly epoch: string;
  /** The newest commit. */
  readonly seq: number;
  readonly forgottenSeq: number;
  /** The previous numbering of commits, and the last of its commits that is still there. */
  readonly former?: { readonly epoch: string; readonly keptSeq: number } | undefined;
  readonly heads: ReadonlyMap<string, UpstreamHead>;
  readonly acknowledged: readonly Acknowledgement[];
}

/** One step of the order that all nodes share. */
export type Change =
  | {
      readonly kind: 'appended';
      readonly epoch: string;
      readonly publication: StoredPublication;
      /** It was requested by this node. */
      readonly isOwn: boolean;
      /** Until when its message id may be remembered, on the clock of the node; 0: it has none. */
      readonly idsUntilMs: number;
    }
  /** The upstream has dropped the numberings of these topics without content. */
  | { readonly kind: 'dropped'; readonly topics: readonly string[]; readonly forgottenSeq: number }
  | { readonly kind: 'acknowledged'; readonly acknowledged: readonly Acknowledgement[] };

/** A topic whose content may go, unless it has been appended to since. */
export interface Forget {
  readonly topic: string;
  readonly position: Position;
}

export interface UpstreamRequest {
  readonly request: AppendRequest;
  /** The payer is over its limit of message ids: a new id is refused, with this delay. */
  readonly refusedForMs: number | undefined;
}

/** The requests of a node in one message: first the topics to forget, then the publishes. */
export interface Batch {
  readonly forgets: readonly Forget[];
  readonly requests: readonly UpstreamRequest[];
  readonly acknowledged: readonly Acknowledgement[];
  /** Positions that this node keeps no longer. */
  readonly unacknowledged: readonly Omit<Acknowledgement, 'position'>[];
}

export interface BatchReply {
  /** For each request, in order. */
  readonly outcomes: readonly AppendOutcome[];
  /** The outcomes may be returned once the node has heard of this commit, in the numbering `epoch`. */
  readonly epoch: string;
  readonly seq: number;
}

/** Whether the commit is still there, according to this picture. */
export function isKept(
  { epoch, former }: Pick<Picture, 'epoch' | 'former'>,
  commit: Pick<BatchReply, 'epoch' | 'seq'>,
): boolean {
  return commit.epoch === epoch || (commit.epoch === former?.epoch && commit.seq <= former.keptSeq);
}

/** Hears of the upstream. Implemented by `ReplicaEngine`. */
export interface UpstreamListener {
  /**
   * Everything there is: called when the upstream opens, and whenever it can't continue from its last change. Later
   * changes come after the promise has resolved.
   */
  picture(picture: Picture): Promise<void>;
  /**
   * Changes in the order of the upstream, each once and without gaps, also from call to call. If the upstream can't
   * guarantee that, it calls `picture` instead.
   */
  changes(changes: readonly Change[]): void;
  /** It has stopped working (`cause`), or works again (undefined). */
  degraded(cause: Error | undefined): void;
}

/**
 * Numbers and stores topics for several nodes: over a network, or in another process. Each node keeps a replica of what
 * it must know at once (`ReplicaEngine`). All nodes hear of the same changes in the same order. Whatever must hold
 * across nodes is decided here, in that order: offsets, `seq`, `expected`, `ifNewest`, message ids, and which
 * numberings are kept.
 */
export interface Upstream {
  /** The name of the engine. */
  readonly name: string;
  readonly bus?: NodeBus | undefined;
  readonly counts?: NodeCounts | undefined;
  /** See `Engine.nowMs`. */
  nowMs?(): number;
  /** Resolves when the listener has taken the first picture. `signal`: see `Engine.open`. */
  open(listener: UpstreamListener, signal?: AbortSignal): Promise<void>;
  /**
   * Commits batches in the order of the calls; several may be under way. Rejects if nothing of the batch was committed.
   * If that is unknown, it recognizes the same requests when they come again, and returns their outcomes.
   */
  commit(batch: Batch): Promise<BatchReply>;
  /** Returns the newest commit. Rejects if it can't be known. */
  newest(): Promise<Pick<BatchReply, 'epoch' | 'seq'>>;
  /** Returns what is kept of the topic, within the retention of this node; undefined: it has no content. */
  load(topic: string): Promise<StoredTopic | undefined>;
  /** See `Engine.reopened`. */
  reopened?(cause: Error, signal?: AbortSignal): Promise<void>;
  /** Ends it; the listener is not called any more. The node has no batch under way. */
  close(): Promise<void>;
}
