import type { Identity } from '../../auth/identity.ts';
import type { Backlog } from '../../catch-up/catch-up.ts';
import { backlogOfLost } from '../../catch-up/lost-frames.ts';
import { TopicBacklog } from '../../catch-up/topic-backlog.ts';
import type { Feed, View } from '../../fanout/view.ts';
import type { Position } from '../../protocol/frames.ts';
import type { Reply } from '../../protocol/server-frames.ts';
import type { Broker } from '../../topics/broker.ts';
import { cursorNow } from '../../topics/cursor.ts';
import type { Payer } from '../../topics/payer.ts';
import type { Charge } from '../limits/charges.ts';

/**
 * `catching up`: its frames come from its backlog. `live`: it gets the view's frames by themselves. `left`: it gets
 * none.
 */
type ViewState = 'catching up' | 'live' | 'left';

/**
 * Why there is a subscription. `client`: its client asked for it, and its credential allows it. `granted`: the
 * application has granted what the credential does not. `gateway`: the gateway made it by itself (`$all`, the topic of
 * the user, presence).
 */
export type Origin = 'client' | 'granted' | 'gateway';

/** What a watch is about, and how many subscriptions of its session it serves. */
interface Watching {
  readonly topic: string;
  subscriptions: number;
}

export interface SessionViewFields {
  readonly view: View;
  readonly origin: Origin;
  /** The topic whose presence this is about: its frames are Joined and Left. */
  readonly watches?: string;
  /** The topic token that lets the session have it. */
  readonly permit?: Identity | undefined;
  /** Who pays for its place; absent: the gateway. It stays, though the session's identity changes. */
  readonly payer?: Payer;
  /** What the subscriber lacks before it goes live. */
  readonly backlog: Backlog;
  /** Of the lists that the backlog keeps. It ends with the backlog. */
  readonly charge?: Charge | undefined;
}

/**
 * One subscription of one session. Its state changes by `goLive`, `lag` and `leave` only:
 *
 *     catching up --goLive--> live --lag, park--> catching up        any --leave--> left
 */
export class SessionView {
  readonly view: View;
  readonly origin: Origin;
  readonly payer: Payer | undefined;
  readonly permit: Identity | undefined;
  #state: ViewState = 'catching up';
  /** While it is catching up. */
  #backlog: Backlog | undefined;
  #charge: Charge | undefined;
  /** The client is told when this subscription is live: it lagged, or needs the cursor of its pattern. */
  #announcesLive: boolean;
  /** What `view.frames` was when it went live. */
  #framesBefore = 0;
  /** The subscription that reports to this subscriber which sessions join and leave. */
  #watch: SessionView | undefined;
  /** Set for a watch alone. */
  readonly #watching: Watching | undefined;
  /** The dictionary that it was sent when it went live last. A later one may be among the frames that it lost. */
  #dictionary = 0;

  constructor(fields: SessionViewFields) {
    const { view, origin, watches, payer, permit, backlog, charge } = fields;
    this.view = view;
    this.origin = origin;
    this.#watching = watches === undefined ? undefined : { topic: watches, subscriptions: 0 };
    this.payer = payer;
    this.permit = permit;
    this.#backlog = backlog;
    this.#charge = charge;
    this.#announcesLive = view.isPattern && backlog.current !== undefined;
  }

  /** The topic or pattern, as the client named it. */
  get target(): string {
    return this.view.options.target;
  }

  /** The gateway made it by itself. */
  get isAutomatic(): boolean {
    return this.origin === 'gateway';
  }

  /** The topic whose presence this is about; undefined: it is no watch. */
  get watches(): string | undefined {
    return this.#watching?.topic;
  }

  get isLive(): boolean {
    return this.#state === 'live';
  }

  get backlog(): Backlog | undefined {
    return this.#backlog;
  }

  /** What its payer is charged for the backlog. */
  get chargedBytes(): number {
    return this.#charge?.bytes ?? 0;
  }

  get watch(): SessionView | undefined {
    return this.#watch;
  }

  /** Up to which position it was sent its topic, or told what is missing. Undefined: it has left, or is a pattern's. */
  get sentUpto(): Position | undefined {
    if (this.view.isPattern || this.#state === 'left') return undefined;
    if (this.#state !== 'live') {
      const backlog = this.#backlog instanceof TopicBacklog ? this.#backlog : undefined;
      return backlog && { epoch: backlog.epoch, offset: backlog.position };
    }
    const { topic, position } = this.view.feed;
    return { epoch: topic.epoch, offset: position };
  }

  /** Whether it is live, and `sentUpto` is this. */
  isLiveAt(position: Position | undefined): boolean {
    if (this.#state !== 'live' || this.view.isPattern) return false;
    const { feed } = this.view;
    return feed.position === position?.offset && feed.topic.epoch === position.epoch;
  }

  /** `sentUpto`, if it was sent all values up to there. */
  get completeUpto(): Position | undefined {
    const backlog = this.#backlog;
    if (this.#state === 'live') return this.sentUpto;
    if (!(backlog instanceof TopicBacklog) || backlog.snapshot !== undefined) return undefined;
    return backlog.isOfAnotherEpoch || backlog.isOutOfReach ? undefined : this.sentUpto;
  }

  /** Frames of the view that it was sent since it went live. */
  get liveFrames(): number {
    return this.#state === 'live' ? this.view.frames - this.#framesBefore : 0;
  }

  /** The announcement of the view's dictionary, unless it is sure to have that one. Send it before it goes live. */
  missingDictionary(): Uint8Array | undefined {
    const current = this.view.dictionary;
    if (current === undefined || current.dictionary === this.#dictionary) return undefined;
    this.#dictionary = current.dictionary;
    return current.announcement;
  }

  /**
   * The backlog is empty: from now on it gets the view's frames. Returns the frame that tells the client, if one is
   * due.
   */
  goLive(broker: Broker): Reply | undefined {
    const caughtUp = this.#announcesLive ? this.#caughtUp(broker) : undefined;
    this.#state = 'live';
    this.#framesBefore = this.view.frames;
    this.#announcesLive = false;
    this.#lacks(undefined);
    return caughtUp;
  }

  /**
   * It lacks everything after these positions of the feeds in `lost`; of the others what the view has not sent yet.
   * Call it before the session leaves the view.
   */
  lag(lost: ReadonlyMap<Feed, Position>, broker: Broker): void {
    this.#state = 'catching up';
    this.#lacks(backlogOfLost(this.view, lost, broker));
    this.#announcesLive = true;
  }

  /**
   * It gets no frames until it is caught up, and the client is not told. Call it before the session leaves the view.
   */
  park(lost: ReadonlyMap<Feed, Position>, broker: Broker): void {
    this.#state = 'catching up';
    this.#lacks(backlogOfLost(this.view, lost, broker));
  }

  /** From now on `watch` tells this subscriber which sessions join and leave, until `unwatch`. */
  watchBy(watch: SessionView): void {
    this.#watch = watch;
    if (watch.#watching !== undefined) watch.#watching.subscriptions++;
  }

  /** Returns its watch if that now serves no other subscription. */
  unwatch(): SessionView | undefined {
    const watch = this.#watch;
    this.#watch = undefined;
    if (watch === undefined) return undefined;
    const watching = watch.#watching;
    return watching !== undefined && --watching.subscriptions === 0 ? watch : undefined;
  }

  leave(): void {
    this.#state = 'left';
    this.#lacks(undefined);
  }

  #lacks(backlog: Backlog | undefined): void {
    this.#backlog = backlog;
    this.#charge?.end();
    this.#charge = undefined;
  }

  #caughtUp(broker: Broker): Reply {
    const { view, target } = this;
    const backlog = this.#backlog instanceof TopicBacklog ? this.#backlog : undefined;
    return {
      kind: 'caughtUp',
      view: view.id,
      topic: target,
      epoch: backlog?.epoch ?? '',
      offset: backlog?.position ?? 0,
      recovered: true,
      cursor: view.isPattern ? cursorNow(broker.commits) : undefined,
    };
  }
}
