import type { Awaitable } from '../awaitable.ts';
import type { SluiceError } from '../errors.ts';
import type { Position, PublishFields } from '../protocol/frames.ts';
import type { Payer } from './payer.ts';
import type { StoredPublication } from './publication.ts';

/**
 * What an engine is asked to append. The broker has filled in the namespace's TTL. The payload bytes belong to the
 * engine from here on: they are never changed.
 */
export interface AppendRequest {
  readonly fields: PublishFields;
  /**
   * When the node accepted it, milliseconds since 1970 on the clock of the broker, which does not jump. Ages and TTLs
   * count from here, never from `fields.timestampMs`.
   */
  readonly publishedAtMs: number;
  /** The same by the wall clock, for readers, where the publisher gave no `timestampMs`. Absent: `publishedAtMs`. */
  readonly timestampMs?: number | undefined;
  /** The same on the monotonic clock of this process. */
  readonly acceptedAtMs: number;
  /** Who pays for remembering its `messageId`. Absent: the gateway itself. */
  readonly payer?: Payer | undefined;
  /** To be appended only while the newest publication of the topic is there; the epoch "": there never was one. */
  readonly expected?: Position | undefined;
  /** Makes it an expiry: to be appended only while the newest publication of its key is the one at this position. */
  readonly ifNewest?: Position;
}

export type AppendOutcome =
  | { readonly ok: true; readonly epoch: string; readonly offset: number; readonly duplicate: boolean }
  | {
      readonly ok: false;
      readonly error: SluiceError;
      /** It is committed, and the feed has not heard of it: given to the engine again it gets its outcome. */
      readonly isCommitted?: boolean;
    };

/** As of `Engine`. */
export type NumberingOfCommits = Pick<Engine, 'epoch' | 'forgottenSeq'>;

/** What an engine tells its node, in order. Implemented by the broker. */
export interface EngineFeed {
  /**
   * These publications were appended to this topic, by this node or another, and are committed. Offsets ascend by one
   * from call to call within a topic and epoch; a publication comes here exactly once. A topic whose numbering was
   * dropped comes in its new epoch without a `reset`.
   */
  appended(topic: string, epoch: string, publications: readonly StoredPublication[]): void;
  /**
   * The numbering of this topic starts anew, or the feed has missed something of it: the next `appended` begins after
   * `offset`. The epoch "": nothing is known of it any more. `stored`: what there is of it, also where its content is
   * gone. `commonSeq`: of what is stored, the feed has heard of nothing after this commit, whatever its `seq` says.
   */
  reset(topic: string, epoch: string, offset: number, stored?: StoredTopic, commonSeq?: number): void;
  /**
   * The feed has missed commits of which the engine knows nothing any more: of topics whose numbering it has dropped,
   * or of an earlier numbering of commits. Comes before all that the engine still has of what the feed has missed.
   */
  missed?(commits: NumberingOfCommits): void;
  /**
   * The engine has stopped working (`cause`), or works again (undefined). Subscribers stay; publishes fail meanwhile.
   */
  degraded(cause: Error | undefined): void;
}

/** The numbering of a topic. It outlives what the topic held. */
export interface Numbering {
  readonly epoch: string;
  /** The newest offset. */
  readonly offset: number;
  /** The `seq` of the newest publication. */
  readonly seq: number;
  /**
   * The engine's `forgottenSeq` when this numbering began: up to that `seq` the topic may have had another one. 0: this
   * is its first.
   */
  readonly bornAfterSeq: number;
}

/** What an engine kept of a topic, to fill a node's ring and state from. */
export interface StoredTopic extends Numbering {
  /** The highest `seq` of this numbering that is no longer kept; 0: all is. */
  readonly evictedSeq: number;
  /** Ascending, contiguous, ending at `offset`. */
  readonly publications: readonly StoredPublication[];
  /** The newest publication per key, in state mode. */
  readonly state: readonly StoredPublication[];
}

/** Hears of other nodes of the same engine. */
export interface BusListener {
  /** Messages of one node come in the order in which it sent them. */
  message(text: string, from: string): void;
  /** The other nodes that are there by now: some may have come, some gone. */
  nodes(names: readonly string[]): void;
  /** This node was silent for the time-out: the others took it for gone, and have forgotten it. */
  returned(): void;
}

/** Messages between the nodes of an engine, apart from publications. A message may be lost. */
export interface NodeBus {
  /** The name of this node. */
  readonly node: string;
  listen(listener: BusListener): void;
  /** Sends to all other nodes. False: they can't be reached at the moment. */
  send(text: string): boolean;
}

/**
 * What the nodes of an engine count together: each says how many it has of a key. While the engine is away each knows
 * of its own alone. What a node had that is gone counts until its time-out.
 */
export interface NodeCounts {
  /**
   * This node has `count` of the key now. `limit`: `elsewhere` has to know of the key once all nodes together have as
   * many as this.
   */
  set(key: string, count: number, limit: number): void;
  /**
   * How many the other nodes have, as of the last heartbeat, if all together had as many as the limit; 0: they had
   * fewer.
   */
  elsewhere(key: string): number;
  /** Resolves once `elsewhere` is as of now, or can't be for the moment. Never rejects. */
  refresh(): Promise<void>;
}

/** Up to where the clients of each user have had topics, on any device. */
export interface AcknowledgedPositions {
  /** How many positions are kept. */
  readonly count: number;
  /** The caller compares epochs: a position whose epoch is not the topic's says nothing. */
  get(topic: string, user: string): Position | undefined;
  /**
   * A client of this user has had the topic up to here. The largest offset of an epoch counts, and a position of
   * another epoch replaces it.
   */
  set(topic: string, user: string, position: Position): void;
  entries(): Iterable<readonly [topic: string, user: string, position: Position]>;
}

/**
 * Where topics are numbered and stored, and how nodes hear of each other.
 *
 * Contract (`test/engines/contract.ts` runs it on every engine):
 * - `append` takes many and returns an outcome for each, in the order of the requests, whatever happens to the others.
 *   It never rejects, and may return at once. It returns once the engine has committed (what that means is the
 *   engine's promise of durability), and not before the feed has had the publication.
 * - Offsets begin at 1 and grow by one per topic and epoch; requests of one call to one topic keep their order.
 *   Offsets are never used again within an epoch. An engine that may have gone back in time takes a new epoch.
 * - A `messageId` is remembered per topic for 5 minutes, never less. A repeat returns the first one's position with
 *   `duplicate: true` and is not fed again; the same id with another publication fails with `message_id_conflict`.
 *   Equal requests at the same time share one append. What is remembered is charged to the request's payer
 *   (`MessageIdBudget`): one that has too much gets `rate_limited` with `retryAfterMs` for a new id; its other
 *   requests, and those of others, go on.
 * - Where a request fails with `engine_unavailable` or `rate_limited`, so do those after it of its topic in the call
 *   that are not committed yet: a publisher sends it again, and they must not overtake it.
 * - An append that fails with `engine_unavailable` was not committed; or, where the engine can't know, it knows the
 *   very same request again and returns what became of it. The broker tries such requests again, so nothing may be
 *   doubled.
 * - A request with `ifNewest` removes a key of a state topic whose value has outlived its TTL. The engine judges it
 *   where it would give the offset: only if the newest publication of that key then has this very epoch and
 *   offset, it is appended like any other. Otherwise (a newer value, a removal, another epoch, no such topic, no state
 *   mode) it fails with `not_found` and has done nothing: no offset is used, nothing is fed, no topic begins. So it
 *   may come late, after values that were on their way, and from several nodes that share the engine: it takes away
 *   that one value, once. It is asked for only where the publication has a TTL, without a `messageId`, and not tried
 *   again; a later sweep asks anew.
 * - A request with `expected` is judged where the engine would give the offset, before its `messageId`: unless the
 *   newest publication of the topic then has this very epoch and offset, it fails with `position_conflict` and has done
 *   nothing. The epoch "" with offset 0 stands for a topic without a numbering.
 * - `load` returns all that the engine holds of a topic, at one point of its order: whatever was fed of the topic
 *   before `load` returns lies at or before `offset`, and the next that is fed is `offset + 1`. Nothing where it holds
 *   no more than the feed of this process has delivered. A node calls it before it first uses a topic. It rejects where
 *   the engine can't read.
 * - Aborting the signal of an `open` that takes its time makes it reject with the signal's reason. It may also finish;
 *   then `close` follows.
 * - `names`, after `open`, are the topics that a node must know from the start; the longest idle first. Topics whose
 *   content is gone are not among them.
 * - Commits are numbered: `seq` ascends by at least one from publication to publication over all topics, in the order
 *   in which the feed hears of them, and `epoch` is the identity of that numbering. An engine that may have gone back
 *   in time takes a new one.
 * - `forget` drops the content of a topic that the broker removed. It must refuse (false) while message ids live. The
 *   numbering stays, so that a client that comes back is told the truth: the topic's next append continues it,
 *   `numbering` returns it, and `numberings` lists it. The engine keeps a bounded number of them and drops the longest
 *   idle first; `forgottenSeq` is the highest `seq` among the dropped. A topic whose numbering was dropped begins a new
 *   epoch. When such a topic is appended to, `numbering` still returns the old one until the feed has had the
 *   publication.
 * - `acknowledged` has a position from the turn on in which it was set. A retaining engine commits it with the next
 *   append at the latest, and within about a second without one; what a crash loses of it is only sent again. The
 *   positions are bounded per user and in all (`Acknowledged`), and survive `forget`.
 * - After `close` every append fails with `shutting_down`; `close` waits for those under way.
 */
export interface Engine {
  readonly name: string;
  /** False: this process's feed is all there is, and `load` has nothing to add. */
  readonly retains: boolean;
  /** The identity of the numbering of commits. Like `seq` and `forgottenSeq` it is known once `open` has resolved. */
  readonly epoch: string;
  /** The newest commit that the feed has heard of, or that was there when `open` resolved; 0: there is none. */
  readonly seq: number;
  /** The highest `seq` of a numbering that was dropped; 0: none was. */
  readonly forgottenSeq: number;
  /** What it takes of this process's memory for each topic with content, where that is much: the client pays for it. */
  readonly topicBytes?: number;
  /** Absent: there is no other node, or another process speaks for this one. */
  readonly bus?: NodeBus | undefined;
  /** Absent: there is no other node, or another process counts for this one. */
  readonly counts?: NodeCounts | undefined;
  /** The engine can't be reached. Retries are useless until the feed reports that it works again. */
  readonly isAway?: boolean;
  /**
   * Milliseconds since 1970 on the clock that all nodes share once `open` has resolved. Absent: the node has its own
   * clock (`steadyNowMs`).
   */
  nowMs?(): number;
  open(feed: EngineFeed, signal?: AbortSignal): Promise<void>;
  append(requests: readonly AppendRequest[]): Awaitable<readonly AppendOutcome[]>;
  load(topic: string): Promise<StoredTopic | undefined>;
  /**
   * For a node that starts, after a `load` that was rejected with `cause`: resolves once the engine can be reached
   * again. Rejects if it can't within the time that `open` takes for it, if that is no use, or as `open` does by the
   * signal. Absent: there is nothing to wait for.
   */
  reopened?(cause: Error, signal?: AbortSignal): Promise<void>;
  /**
   * Where other nodes may have heard of a commit before this one: true once the feed has heard of everything that was
   * committed by now, false where it can't be told for the moment. Never rejects.
   */
  hearNewest?(): Promise<boolean>;
  names?(): Iterable<string>;
  forget(topic: string): boolean;
  /**
   * The broker has evicted publications up to this offset, because a client published too much to other topics. It need
   * not keep them. Absent: what it keeps has no limit for all topics together.
   */
  evict?(topic: string, upto: number): void;
  /** The numbering of a topic whose content is gone. */
  numbering(topic: string): Numbering | undefined;
  /**
   * The numberings of topics whose content is gone and whose newest `seq` is above `afterSeq`, by topic. Takes time for
   * what was forgotten since that commit, not for all.
   */
  numberings(afterSeq: number): Iterable<readonly [topic: string, numbering: Numbering]>;
  readonly acknowledged: AcknowledgedPositions;
  /** What the message ids that it remembers cost. */
  readonly messageIdBytes: number;
  close(): Promise<void>;
}
