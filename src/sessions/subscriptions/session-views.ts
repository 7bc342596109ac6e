import type { Identity } from '../../auth/identity.ts';
import { type CatchUpOptions, type CatchUpReceiver, catchUp } from '../../catch-up/catch-up.ts';
import type { Fanout } from '../../fanout/fanout.ts';
import type { OutFrame, Overlap, Receiver } from '../../fanout/sink.ts';
import type { Feed, View } from '../../fanout/view.ts';
import type { Metrics } from '../../metrics.ts';
import type { Position } from '../../protocol/frames.ts';
import type { ServerFrame } from '../../protocol/server-frames.ts';
import type { Broker } from '../../topics/broker.ts';
import type { Connection } from '../connection.ts';
import type { TurnBudget } from '../limits/turn-budget.ts';
import type { Outbox } from '../outbox.ts';
import type { UnsubscribeReason } from '../session-events.ts';
import {
  type AttendanceOptions,
  type Attendant,
  tellSubscribed,
  tellUnsubscribed,
} from '../users/attendance.ts';
import { type AheadAt, AheadViews } from './ahead-views.ts';
import { countOf, noViews, viewOf, withoutView, withView } from './few-views.ts';
import type { SessionView } from './session-view.ts';

/**
 * Where a session is on the ladder of slow clients:
 *
 * - `live`: it gets the frames of its views by themselves, or will once it is caught up, as after a subscribe;
 * - `lagging`: its buffer was full and frames were lost. It has left all views, and is caught up as its buffer drains;
 * - `ended`: its connection is gone.
 */
export type DeliveryState = 'live' | 'lagging' | 'ended';

export interface SessionViewsOptions extends AttendanceOptions {
  readonly broker: Broker;
  readonly fanout: Fanout;
  readonly catchUp: CatchUpOptions;
  readonly turnBudget: TurnBudget;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs: () => number;
  readonly metrics: Pick<Metrics, 'sessionsLaggingTotal'>;
}

const nothingLost: ReadonlyMap<Feed, Position> = new Map();

/** The session that the views are of. */
export interface ViewsOwner extends Attendant {
  readonly identity: Identity;
  /** The session that its client had before; undefined: it is not known. */
  readonly formerId: string | undefined;
  /** It may have missed something that only the reply to a subscribe can name. */
  endForUnnamedLoss(): void;
  /** Sends what waits, and continues to catch up. */
  pump(): void;
}

/** One session is caught up for this long at a time, then others have their turn. */
const catchUpTurnMs = 5;

/**
 * The views of one session. The state changes by these transitions only, each a method of this name:
 *
 *              live ------- lostFrames -------> lagging
 *               ^                                  |
 *               +------------ caughtUp ------------+
 *
 * and from each by `end` to ended.
 */
export class SessionViews implements CatchUpReceiver, Receiver {
  readonly #owner: ViewsOwner;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #options: SessionViewsOptions;
  #views = noViews;
  #state: DeliveryState = 'live';
  /** Views that are not live. Undefined where all are, as in most sessions. */
  #catchingUp: Set<SessionView> | undefined;
  /** Undefined if it is ahead of no view, as in most sessions, because it is looked at for each frame. */
  #ahead: AheadViews | undefined;
  #isTurnAsked = false;
  #isParked: boolean;
  #isPaused = false;
  #isStopped = false;
  /**
   * While it catches up: when it has to stop in this turn, on the monotonic clock. Otherwise undefined, which takes no
   * memory.
   */
  #turnEndsAtMs: number | undefined;

  constructor(owner: ViewsOwner, connection: Connection, outbox: Outbox, options: SessionViewsOptions) {
    this.#owner = owner;
    this.#connection = connection;
    this.#outbox = outbox;
    this.#options = options;
    this.#isParked = connection.beginsParked === true;
  }

  get state(): DeliveryState {
    return this.#state;
  }

  get size(): number {
    return countOf(this.#views);
  }

  get(viewId: number): SessionView | undefined {
    return viewOf(this.#views, viewId);
  }

  values(): Iterable<SessionView> {
    return this.#views.values();
  }

  /** Waits for its connection to drain, or for its turn. */
  get isCatchingUp(): boolean {
    return this.#catchingUp !== undefined;
  }

  /** Frames that it was sent by the views in which it is live. */
  get liveFrames(): number {
    let count = 0;
    for (const { liveFrames } of this.values()) count += liveFrames;
    return count;
  }

  get isLagging(): boolean {
    return this.#state === 'lagging';
  }

  get liveViews(): readonly View[] {
    const live: View[] = [];
    for (const { isLive, view } of this.values()) if (isLive) live.push(view);
    return live;
  }

  isLiveIn(view: View): boolean {
    return this.get(view.id)?.isLive === true;
  }

  isSubscribedTo(viewId: number): boolean {
    return this.get(viewId) !== undefined;
  }

  /** Up to where the session has had everything of the live view; undefined: no more than its members. */
  aheadAt(view: View): AheadAt | undefined {
    return this.#ahead?.get(view);
  }

  isAheadIn(view: View): boolean {
    return this.#ahead?.get(view) !== undefined;
  }

  overlap(frame: OutFrame): Overlap {
    if (this.#ahead === undefined) return 'nothing';
    const overlap = this.#ahead.overlap(frame);
    if (overlap === 'all') this.#outbox.count(-1);
    if (this.#ahead.isEmpty) this.#ahead = undefined;
    return overlap;
  }

  /** Takes part in a view. Call the owner's `pump`, or `resume`, once the reply is sent. */
  add(sessionView: SessionView): void {
    this.#views = withView(this.#views, sessionView);
    this.#fellBehind(sessionView);
    tellSubscribed(this.#owner, sessionView, this.values(), this.#options);
  }

  remove(sessionView: SessionView, reason: UnsubscribeReason): void {
    const { view, payer, isLive } = sessionView;
    if (this.get(view.id) !== sessionView) return;
    this.#views = withoutView(this.#views, view.id);
    this.#notBehind(sessionView);
    this.#outbox.count(sessionView.liveFrames);
    sessionView.leave();
    this.#ahead?.delete(view);
    if (isLive) this.#leave(view);
    this.#options.fanout.detach(view, payer);
    const watch = sessionView.unwatch();
    if (watch !== undefined) this.remove(watch, reason);
    tellUnsubscribed(this.#owner, sessionView, this.values(), reason, this.#options);
  }

  /** It leaves the view, if it is live there, and keeps its position there until the owner's next `pump`. */
  hold(sessionView: SessionView): void {
    this.#parkLive(nothingLost, [sessionView]);
  }

  lag(lost: ReadonlyMap<Feed, Position>, lostFrames: number): void {
    if (this.#state === 'ended') return;
    this.#outbox.count(-lostFrames);
    const live = this.#leaveLive((sessionView) =>
      sessionView.lag(this.#lackingAfter(sessionView, lost), this.#options.broker),
    );
    if (live.length === 0) return;
    this.#lostFrames();
    this.#outbox.push({ kind: 'lagging', views: live.map(({ view }) => view.id) });
    // The connection may have drained between the drop and now. Then it would not say so again.
    this.#owner.pump();
  }

  rejoin(lost: ReadonlyMap<Feed, Position>, lostFrames: number): void {
    if (this.#state === 'ended') return;
    this.#outbox.count(-lostFrames);
    this.#parkLive(lost);
    this.#owner.pump();
  }

  get isParked(): boolean {
    return this.#isParked;
  }

  /** Its client is away for a moment: it leaves all views in which it is live, and is caught up only after `unpark`. */
  park(): void {
    this.#isParked = true;
    this.#parkLive(nothingLost);
  }

  /** Its client is back, and is sent what it lacks. */
  unpark(): void {
    this.#isParked = false;
    this.#owner.pump();
  }

  /** Its client has not been told yet what it is subscribed to: it is caught up only after `resume`. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#owner.pump();
  }

  /** It leaves all views in which it is live, and is sent nothing of them any more. */
  stop(): void {
    this.#isStopped = true;
    this.#parkLive(nothingLost);
  }

  /** Catches up as far as the buffer takes it, in this turn of the event loop or one of the next. */
  catchUpSoon(): void {
    if (this.#isTurnAsked) return;
    this.#isTurnAsked = true;
    const run = () => this.#catchUp();
    this.#options.turnBudget.run(run, () => this.#connection.cork(run));
  }

  end(): void {
    this.#state = 'ended';
    for (const sessionView of [...this.values()]) this.remove(sessionView, 'disconnect');
  }

  // ---- the session, for the sink and for catch-up

  get id(): string {
    return this.#owner.id;
  }

  endForUnnamedLoss(): void {
    this.#owner.endForUnnamedLoss();
  }

  get formerId(): string | undefined {
    return this.#owner.formerId;
  }

  hasRoom(): boolean {
    return !this.#isTurnOver && this.#outbox.hasRoom();
  }

  sendBytes(message: Uint8Array): void {
    this.#outbox.send(message);
  }

  sendFrame(frame: ServerFrame): void {
    this.#outbox.sendFrame(frame);
  }

  // ---- transitions

  #fellBehind(sessionView: SessionView): void {
    this.#catchingUp ??= new Set();
    this.#catchingUp.add(sessionView);
  }

  #lostFrames(): void {
    if (this.#state === 'lagging') return;
    this.#state = 'lagging';
    this.#options.metrics.sessionsLaggingTotal.inc();
  }

  #caughtUp(): void {
    if (this.#state !== 'ended') this.#state = 'live';
    this.#outbox.progressed();
  }

  // ---- catching up

  #catchUp(): void {
    this.#isTurnAsked = false;
    if (this.#state === 'ended' || this.#isStopped || this.#isParked || this.#isPaused) return;
    if (this.#outbox.isWaiting) return;
    this.#turnEndsAtMs = this.#options.monotonicMs() + catchUpTurnMs;
    if (this.#catchUpViews()) this.#caughtUp();
    this.#turnEndsAtMs = undefined;
    this.#connection.caughtUp?.();
  }

  /** Returns whether all views are live. */
  #catchUpViews(): boolean {
    const before = this.#outbox.messageCount;
    for (const sessionView of this.#catchingUp ?? []) {
      // A view that lacks nothing waits for room too: into a full buffer its next frame would be lost.
      const mayGoOn = this.#state !== 'lagging' || this.hasRoom();
      const isDone = mayGoOn && this.#catchUpView(sessionView);
      // With room in its buffer no drain would call for the rest.
      if (!isDone && this.#isTurnOver) this.#catchUpLater();
      // There was room for more: something has left the buffer, though it may be as full again now.
      if (this.#outbox.messageCount > before) this.#outbox.progressed();
      if (!isDone) return false;
      this.#notBehind(sessionView);
    }
    return true;
  }

  #catchUpView(sessionView: SessionView): boolean {
    const { view, backlog } = sessionView;
    if (backlog !== undefined && !catchUp(this, view, backlog, this.#options.catchUp)) return false;
    this.#goLive(sessionView);
    return true;
  }

  #goLive(sessionView: SessionView): void {
    const { view, backlog } = sessionView;
    const dictionary = sessionView.missingDictionary();
    if (dictionary !== undefined) this.#outbox.send(dictionary);
    if (this.#state === 'ended') return;
    if (this.#connection.codec.comparesOffsets !== true) {
      const ahead = this.#ahead ?? new AheadViews();
      ahead.add(view, backlog, this.#options.broker.commits);
      this.#ahead = ahead.isEmpty ? undefined : ahead;
    }
    const caughtUp = sessionView.goLive(this.#options.broker);
    this.#options.fanout.addMember(view, this.#connection);
    if (caughtUp !== undefined) this.#outbox.push(caughtUp);
  }

  #catchUpLater(): void {
    this.#isTurnAsked = true;
    this.#options.turnBudget.later(() => this.#connection.cork(() => this.#catchUp()));
  }

  get #isTurnOver(): boolean {
    return this.#turnEndsAtMs !== undefined && this.#options.monotonicMs() > this.#turnEndsAtMs;
  }

  #notBehind(sessionView: SessionView): void {
    this.#catchingUp?.delete(sessionView);
    if (this.#catchingUp?.size === 0) this.#catchingUp = undefined;
  }

  /** It leaves the views in which it is live; `leaves` makes what it lacks of each. Returns them. */
  #leaveLive(
    leaves: (sessionView: SessionView) => void,
    of: Iterable<SessionView> = this.values(),
  ): readonly SessionView[] {
    const live = [...of].filter(({ isLive }) => isLive);
    for (const sessionView of live) {
      this.#outbox.count(sessionView.liveFrames);
      leaves(sessionView);
      this.#leave(sessionView.view);
      this.#fellBehind(sessionView);
    }
    for (const { view } of live) this.#ahead?.delete(view);
    return live;
  }

  #parkLive(lost: ReadonlyMap<Feed, Position>, of?: Iterable<SessionView>): void {
    this.#leaveLive(
      (sessionView) => sessionView.park(this.#lackingAfter(sessionView, lost), this.#options.broker),
      of,
    );
  }

  #lackingAfter({ view }: SessionView, lost: ReadonlyMap<Feed, Position>): ReadonlyMap<Feed, Position> {
    return this.#ahead?.lackingAfter(view, lost) ?? lost;
  }

  #leave(view: View): void {
    this.#options.fanout.removeMember(view, this.#connection);
  }
}
