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

/** A topic as the upstream knows it, apart from its content. */
export interface UpstreamHead extends Numbering {
  /** Its content is gone: the newest commit then. Absent: there is content. */
  readonly idleAtSeq: number | undefined;
  /** Until when a message id of it may be remembered, milliseconds on the clock of the node. 0: there is none. */
  readonly idsUntilMs: number;
}

/** Up to where a client of this user has had the topic. */
export interface Acknowledgement {
  readonly topic: string;
  readonly user: string;
  readonly position: Position;
}

/** All that an upstream knows, at one point of its order. */
export interface Picture {
  /** The identity of the numbering of commits. */
  readonly epoch: string;
  /** The newest commit. */
  readonly seq: number;
  readonly forgottenSeq: number;
  /** The numbering of commits that this one replaced, and up to which commit of it the publications are still there. */
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
      /** This node asked for it. */
      readonly isOwn: boolean;
      /** Until when its message id may be remembered, on the clock of the node; 0: it has none. */
      readonly idsUntilMs: number;
    }
  /** The numberings of these topics, whose content was gone, are gone too. */
  | { readonly kind: 'dropped'; readonly topics: readonly string[]; readonly forgottenSeq: number }
  | { readonly kind: 'acknowledged'; readonly acknowledged: readonly Acknowledgement[] };

/** A topic whose content may go, unless it has been appended to since. */
export interface Forget {
  readonly topic: string;
  readonly position: Position;
  /** The newest commit that the node had heard of. */
  readonly atSeq: number;
}

export interface UpstreamRequest {
  readonly request: AppendRequest;
  /** Its publisher can't have one more message id remembered: a new one is refused, with this delay. */
  readonly refusedForMs: number | undefined;
}

/** What a node asks for at once: first the topics to forget, then the requests. */
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
  /** They are to be told once the node has heard of this commit, in the numbering of commits `epoch`. */
  readonly epoch: string;
  readonly seq: number;
}

/** Whether what was committed then is there, as a picture shows it or one of the same numbering before it. */
export function isKept(
  { epoch, former }: Pick<Picture, 'epoch' | 'former'>,
  commit: Pick<BatchReply, 'epoch' | 'seq'>,
): boolean {
  return commit.epoch === epoch || (commit.epoch === former?.epoch && commit.seq <= former.keptSeq);
}

/** What an upstream tells its node. Implemented by `ReplicaEngine`. */
export interface UpstreamListener {
  /**
   * All there is: when it opens, and whenever it can't go on from where it was. Changes after it come when the promise
   * has resolved.
   */
  picture(picture: Picture): Promise<void>;
  /**
   * In the order of the upstream, each once, without a hole, also from call to call. The upstream has seen to that
   * before it calls; where it can't, it calls `picture`.
   */
  changes(changes: readonly Change[]): void;
  /** It can't do its work (a cause), or can again (nothing). */
  degraded(cause: Error | undefined): void;
}

/**
 * Where topics are numbered and stored for several nodes, as one node sees it: over a network, or in another process.
 * The node keeps a replica of what it must know at once (`ReplicaEngine`).
 *
 * All nodes hear of the same changes in the same order. What must hold over nodes is decided here, in that order:
 * offsets, `seq`, `expected`, `ifNewest`, message ids and which numberings are kept.
 */
export interface Upstream {
  /** Of the engine. */
  readonly name: string;
  readonly bus?: NodeBus | undefined;
  readonly counts?: NodeCounts | undefined;
  /** Resolves when the listener has taken the first picture. May be aborted, see `Engine.open`. */
  open(listener: UpstreamListener, signal?: AbortSignal): Promise<void>;
  /**
   * Batches are done in the order of the calls, several may be under way. Rejects where nothing of it was done; where
   * it can't know, it knows the very same requests again and returns what became of them.
   */
  commit(batch: Batch): Promise<BatchReply>;
  /** The newest commit by now. Rejects where that can't be known. */
  newest(): Promise<Pick<BatchReply, 'epoch' | 'seq'>>;
  /** What is kept of the topic now, as far as the retention of this node wants it; undefined: it has no content. */
  load(topic: string): Promise<StoredTopic | undefined>;
  /** After it nothing is told any more. The node has no batch under way. */
  close(): Promise<void>;
}
