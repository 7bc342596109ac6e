import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import { isPattern } from '../topics/topic-name.ts';
import type { AnnouncedDictionary } from './dictionary.ts';
import { HeldKeys } from './held-keys.ts';
import { ReadyGroup, Scheduled } from './schedule.ts';
import { UnsentFeeds } from './unsent-feeds.ts';
import { deliveryKey, type ViewOptions, viewKey } from './view-options.ts';

/**
 * All subscribers of one topic or pattern that may get the same bytes. Only the fan-out calls the methods that change
 * it; its number is this gateway's own.
 */
export class View {
  readonly id: number;
  /** See `viewKey`. */
  readonly key: string;
  readonly options: ViewOptions;
  readonly isPattern: boolean;
  /** Of a pattern: what its members have not been sent yet; and its feeds, maybe thousands, wait among themselves. */
  readonly unsent: UnsentFeeds<Feed> | undefined;
  readonly readyGroup: ReadyGroup<Feed> | undefined;
  /** A name of this view alone, for transports that publish by name. */
  readonly channel: string;
  /** When its members were told their cursor last, on the monotonic clock, where they are not with each batch. */
  #cursorAtMs = Number.NEGATIVE_INFINITY;
  #subscriptions = 0;
  #members = 0;
  /** By the number of the sink that serves them. */
  readonly #membersOf: number[] = [];
  #frames = 0;
  #dictionary: AnnouncedDictionary | undefined;
  /** Of a pattern. An exact view has one feed and no map: each user has such a view (`bench -- storm`). */
  readonly #feeds: Map<Topic, Feed> | undefined;
  #feed: Feed | undefined;

  constructor(id: number, options: ViewOptions, key = viewKey(options)) {
    this.id = id;
    this.key = key;
    this.options = options;
    this.isPattern = isPattern(options.target);
    this.unsent = this.isPattern ? new UnsentFeeds() : undefined;
    this.readyGroup = this.isPattern ? new ReadyGroup() : undefined;
    this.#feeds = this.isPattern ? new Map() : undefined;
    this.channel = `v${id}`;
  }

  get deliveryKey(): string {
    return deliveryKey(this.options);
  }

  /** Whether the view has this key. */
  has(key: string | undefined): boolean {
    return this.options.keys?.set.has(key ?? '') ?? true;
  }

  matches({ key, tags }: StoredPublication): boolean {
    return this.has(key) && (this.options.filter?.matches(tags) ?? true);
  }

  // ---- subscriptions: live, lagging or being caught up

  get subscriptions(): number {
    return this.#subscriptions;
  }

  subscribed(): void {
    this.#subscriptions++;
  }

  unsubscribed(): void {
    this.#subscriptions--;
  }

  // ---- members: connections that get its frames live

  get members(): number {
    return this.#members;
  }

  /** The members that the sink of this number serves. */
  membersOf(sink: number): number {
    return this.#membersOf[sink] ?? 0;
  }

  addMember(sink: number): void {
    this.#members++;
    while (this.#membersOf.length <= sink) this.#membersOf.push(0);
    this.#membersOf[sink] = this.membersOf(sink) + 1;
  }

  removeMember(sink: number): void {
    this.#members--;
    this.#membersOf[sink] = this.membersOf(sink) - 1;
  }

  // ---- what the members were sent

  /** Frames sent to its members so far. */
  get frames(): number {
    return this.#frames;
  }

  /** Whether a frame of a pattern tells its cursor. Text frames do so again after `textCursorMs`. */
  takesCursor(nowMs: number, textCursorMs: number): boolean {
    const isDue = this.options.codec.binary || nowMs - this.#cursorAtMs >= textCursorMs;
    if (isDue) this.#cursorAtMs = nowMs;
    return isDue;
  }

  /** One more frame goes to all members. */
  sent(): void {
    this.#frames++;
  }

  /** The newest that was announced. All members have it; no batch uses an earlier one any more. */
  get dictionary(): AnnouncedDictionary | undefined {
    return this.#dictionary;
  }

  announced(dictionary: AnnouncedDictionary): void {
    this.#dictionary = dictionary;
  }

  // ---- feeds

  /** For an exact view its topic; for a pattern the topics that have published lately. */
  get feeds(): Iterable<Feed> {
    return this.#feeds?.values() ?? (this.#feed === undefined ? [] : [this.#feed]);
  }

  /** That of an exact view, which has it for as long as it is in use. */
  get feed(): Feed {
    return this.#feed as Feed;
  }

  feedOf(topic: Topic): Feed | undefined {
    if (this.#feeds !== undefined) return this.#feeds.get(topic);
    return this.#feed?.topic === topic ? this.#feed : undefined;
  }

  /** The same. A pattern has none of a quiet topic; then a new one says the same. */
  feedFor(topic: Topic): Feed {
    return this.feedOf(topic) ?? new Feed(this, topic);
  }

  addFeed(topic: Topic): Feed {
    const feed = new Feed(this, topic);
    if (this.#feeds === undefined) this.#feed = feed;
    else this.#feeds.set(topic, feed);
    return feed;
  }

  removeFeed(feed: Feed): void {
    if (this.#feeds === undefined) this.#feed = undefined;
    else this.#feeds.delete(feed.topic);
    this.unsent?.delete(feed);
  }
}

/** The feeds of one topic, as a feed sees them. */
export interface FeedGroup {
  readonly batch: BatchOptions;
  readonly feeds: readonly Feed[];
  /** The publications after this offset that were not sent to all. */
  after(offset: number): readonly StoredPublication[];
  /**
   * The commit of the first publication after this offset; undefined: none is kept. If those just after the offset are
   * gone, it is the last commit that can be theirs.
   */
  seqAfter(offset: number): number | undefined;
  /** Drops the publications that every feed has looked at. */
  trim(): void;
  remove(feed: Feed): void;
}

export interface BatchOptions {
  readonly maxDelayMs: number;
  readonly maxBytes: number;
  readonly maxPublications: number;
}

/** Sent in place of an epoch that is not known, except that it differs from the one that follows. */
export const formerEpoch = '?';

/**
 * One topic as one view sees it: what the view's members have been sent of it.
 *
 *     ... sent to the members | nothing for this view | to be looked at | ...
 *                         position                examined        the topic's newest
 *
 * Each transition is one method: `joined` and `left`, `began…`, `restarted`, `queued`, `skipToNewest`, and in a flush
 * `announcedEpoch`, `examine`, `sent` and `finished`.
 */
export class Feed extends Scheduled<Feed> {
  readonly view: View;
  readonly topic: Topic;
  /** In state mode with a filter: the keys that the members may hold a value of. */
  readonly held: HeldKeys | undefined;
  #epoch: string;
  #position: number;
  #examined: number;
  #pendingPublications = 0;
  #pendingBytes = 0;
  #skippedEpoch = false;
  #flushedAtMs = Number.NEGATIVE_INFINITY;
  #group: FeedGroup | undefined;

  constructor(view: View, topic: Topic) {
    super(view.readyGroup);
    this.view = view;
    this.topic = topic;
    this.#epoch = topic.epoch;
    this.#position = topic.ring.newest;
    this.#examined = this.#position;
    if (topic.state !== undefined && view.options.filter !== undefined)
      this.held = new HeldKeys(view.isPattern);
  }

  /** The epoch of the frames sent so far. The topic may have another one until the next flush. */
  get epoch(): string {
    return this.#epoch;
  }

  /**
   * A numbering has ended before its first publications were sent. Members that knew none would take the next one for
   * the first.
   */
  get skippedEpoch(): boolean {
    return this.#skippedEpoch;
  }

  /** The members have been sent coverage up to here. */
  get position(): number {
    return this.#position;
  }

  /** Looked at up to here: (position, examined] held nothing for this view. */
  get examined(): number {
    return this.#examined;
  }

  /** What waits for a flush is enough for a batch. */
  isFull({ maxBytes, maxPublications }: BatchOptions): boolean {
    return this.#pendingBytes >= maxBytes || this.#pendingPublications >= maxPublications;
  }

  /** When it was last flushed, on the monotonic clock. */
  get flushedAtMs(): number {
    return this.#flushedAtMs;
  }

  /** The feeds of its topic, while it is one of them. */
  get group(): FeedGroup | undefined {
    return this.#group;
  }

  /** Everything was sent, and nothing is about to be. */
  get isUpToDate(): boolean {
    return (
      this.due === 'idle' && this.#position === this.topic.ring.newest && this.#epoch === this.topic.epoch
    );
  }

  // ---- transitions

  joined(group: FeedGroup): void {
    this.#group = group;
  }

  left(): void {
    this.#group = undefined;
  }

  /** The first member came: what it holds is the topic as it is now. */
  beganWithMember(): void {
    this.skipToNewest();
    if (this.held === undefined || this.view.isPattern) return;
    this.held.clear();
    // Also what has expired: the member may have been sent it before.
    for (const publication of this.topic.state?.values() ?? []) {
      if (this.view.matches(publication)) this.held.add(publication.key ?? '');
    }
  }

  /** The members have everything: there are none, or they got a snapshot. */
  skipToNewest(): void {
    this.announcedEpoch();
    this.#moveTo(this.topic.ring.newest);
    this.#nothingPending();
    this.view.unsent?.delete(this);
  }

  /**
   * A pattern's feed begins before this publication. The members know the topic, unless it held nothing since they
   * joined: see `queued`.
   */
  beganBefore({ offset, seq }: StoredPublication): void {
    if (this.topic.firstSeq === seq) this.#epoch = '';
    this.#moveTo(offset - 1);
  }

  /** A pattern's feed begins by telling the members that the topic has another numbering. */
  beganAnew(): void {
    this.#epoch = formerEpoch;
    this.#moveTo(this.topic.ring.newest);
  }

  /** The topic began a new numbering. `epoch` stays: the next flush sees the difference and tells the members. */
  restarted(): void {
    if (this.#epoch === '' && this.#pendingPublications > 0) this.#skippedEpoch = true;
    this.#moveTo(this.topic.ring.newest);
    this.#nothingPending();
    // A member that lags before the flush has not been told.
    this.view.unsent?.addAnew(this, this.topic.seq);
    this.held?.clear();
  }

  /**
   * This many more publications, of `bytes` bytes, wait for a flush; `seq` is the first one's. A member of a pattern
   * that came with a cursor knows each state topic that holds values, but not those that held none any more: another
   * gateway, or this one before it was restarted, may have dropped such a topic before the member joined there.
   */
  queued(publications: number, bytes: number, seq: number): void {
    const { state, firstSeq } = this.topic;
    if (state !== undefined && firstSeq === seq && this.view.isPattern && this.#epoch === this.topic.epoch)
      this.#epoch = '';
    this.view.unsent?.add(this, seq);
    this.#pendingPublications += publications;
    this.#pendingBytes += bytes;
  }

  /** The members are told of the topic's numbering. */
  announcedEpoch(): void {
    this.#epoch = this.topic.epoch;
    this.#skippedEpoch = false;
  }

  /** Publications up to this offset that were not sent are not for this view. */
  examine(upto: number): void {
    this.#examined = upto;
  }

  /** The members were sent coverage up to this offset. */
  sent(upto: number, nowMs: number): void {
    this.#epoch = this.topic.epoch;
    this.#moveTo(upto);
    this.#flushedAtMs = nowMs;
  }

  /** A flush has looked at everything. */
  finished(): void {
    this.#examined = this.topic.ring.newest;
    this.#nothingPending();
    if (this.#position === this.#examined) this.view.unsent?.delete(this);
  }

  #nothingPending(): void {
    this.#pendingPublications = 0;
    this.#pendingBytes = 0;
  }

  #moveTo(position: number): void {
    this.#position = position;
    this.#examined = position;
  }

  /**
   * For cursors: the first commit that a member lacks after it was sent everything up to this offset. Undefined: it
   * lacks nothing.
   */
  lackingAfter(offset: number): number | undefined {
    const { epoch, seq } = this.topic;
    return this.seqAfter(offset) ?? (this.#epoch === epoch ? undefined : seq);
  }

  /**
   * The commit of the first publication after this offset; undefined: there is none. If some after it were evicted, it
   * is one from which they are known to be lost.
   */
  seqAfter(offset: number): number | undefined {
    const { ring } = this.topic;
    const kept = offset < ring.reach ? this.#group?.seqAfter(offset) : undefined;
    return kept ?? ring.seqAfter(offset);
  }

  /**
   * The session that does not get this publication. With a filter every session is told of a removal: one that is not
   * told would keep the key forever when the next value does not match.
   */
  exceptOf({ except, removed }: StoredPublication): string | undefined {
    return this.held !== undefined && removed === true ? undefined : except;
  }
}
