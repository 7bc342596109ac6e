import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import { isPattern } from '../topics/topic-name.ts';
import type { AnnouncedDictionary } from './dictionary.ts';
import { HeldKeys } from './held-keys.ts';
import { subscriptionKey, type ViewOptions, viewKey } from './view-options.ts';

/** All subscribers of one topic or pattern who may get the same bytes. Its number is this gateway's own. */
export class View {
  readonly id: number;
  readonly key: string;
  readonly subscriptionKey: string;
  readonly options: ViewOptions;
  readonly isPattern: boolean;
  /** A name of this view alone, for transports that publish by name. */
  readonly channel: string;
  /** Subscriptions, also those that lag or are being caught up. */
  subscriptions = 0;
  #members = 0;
  /** By the number of the sink that serves them. */
  readonly #membersOf: number[] = [];
  #frames = 0;
  /** The newest that was announced. All its members have it; of those that came before, no batch makes use any more. */
  dictionary: AnnouncedDictionary | undefined;
  /** A pattern's: its place among those that have members, in the order of their first member. 0: it has none. */
  patternNumber = 0;
  /**
   * A pattern's feeds that the members have not been sent all coverage of, by the `seq` of the first that they lack: the longest
   * waiting first. Also those with nothing for this view: until their coverage is sent, a member's position is an older one.
   */
  readonly waiting = new Map<Feed, number>();
  /** Of an exact view its topic; of a pattern those that have published lately. */
  readonly feeds = new Map<Topic, Feed>();

  constructor(id: number, options: ViewOptions) {
    this.id = id;
    this.key = viewKey(options);
    this.subscriptionKey = subscriptionKey(options);
    this.options = options;
    this.isPattern = isPattern(options.target);
    this.channel = `v${id}`;
  }

  /** Connections that get its frames live. */
  get members(): number {
    return this.#members;
  }

  /** Those that the sink of this number serves. */
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

  /** Frames that its members were sent since it exists. */
  get frames(): number {
    return this.#frames;
  }

  /** One more frame goes to all members. */
  sent(): void {
    this.#frames++;
  }

  /** The members have been sent everything up to this commit, where `newest` is the newest of all. */
  sentSeq(newest: number): number {
    for (const seq of this.waiting.values()) return seq - 1;
    return newest;
  }
}

/** One topic as one view sees it: what the view's members have been sent of it. */
export class Feed {
  readonly view: View;
  readonly topic: Topic;
  /** Of the frames sent so far; behind the topic's own until the next flush. */
  epoch: string;
  /** The members have been sent coverage up to here. */
  position: number;
  /** Looked at up to here: (position, examined] held nothing for this view. At least `position`. */
  examined: number;
  /** Bytes that wait for a flush. */
  pendingBytes = 0;
  /** When it was last flushed, on the monotonic clock. */
  flushedAtMs = Number.NEGATIVE_INFINITY;
  /** Where the feed stands with the schedule. */
  due: 'idle' | 'waiting' | 'ready' = 'idle';
  dueAtMs = 0;
  /** Its place among the topic's feeds, while it has one. */
  topicFeeds: TopicFeeds | undefined;
  /** State mode with a filter: the keys that the members may hold a value of. */
  readonly held: HeldKeys | undefined;

  constructor(view: View, topic: Topic) {
    this.view = view;
    this.topic = topic;
    this.epoch = topic.epoch;
    this.position = topic.ring.newest;
    this.examined = this.position;
    if (topic.state !== undefined && view.options.filter !== undefined)
      this.held = new HeldKeys(view.isPattern);
  }

  /** Takes it that the members have everything: there are none, or they got a snapshot. */
  skipToNewest(): void {
    this.epoch = this.topic.epoch;
    this.position = this.topic.ring.newest;
    this.examined = this.position;
    this.pendingBytes = 0;
    this.view.waiting.delete(this);
  }

  /** Everything was sent, and nothing is about to be. */
  get isLevel(): boolean {
    return this.due === 'idle' && this.position === this.topic.ring.newest && this.epoch === this.topic.epoch;
  }

  matches(publication: StoredPublication): boolean {
    return this.view.options.filter?.matches(publication.tags) ?? true;
  }

  /**
   * The session that is not to get this publication. With a filter, everybody hears of a removal: whoever kept the key would
   * keep it for good when the next value doesn't match.
   */
  exceptOf({ except, removed }: StoredPublication): string | undefined {
    return this.held !== undefined && removed === true ? undefined : except;
  }
}

export interface BatchOptions {
  readonly maxDelayMs: number;
  readonly maxBytes: number;
}

/** The feeds of one topic, and what they have still to send: kept here until all have, whatever the ring evicts. */
export interface TopicFeeds {
  readonly topic: Topic;
  readonly batch: BatchOptions;
  readonly feeds: Feed[];
  /** Contiguous, behind the offset `logAfter`. */
  log: StoredPublication[];
  logAfter: number;
  /** Patterns up to this `patternNumber` have a feed of it, where they match. */
  heardByPatterns: number;
  /** Keeps the topic from being removed until all that was published is sent or covered. */
  retainsTopic: boolean;
}

/** A view whose coverage has said nothing for so long says so with an empty batch. */
export const silentCoverageMs = 10_000;
