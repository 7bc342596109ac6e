import type { Identity } from '../auth/identity.ts';
import { addressPayer, payerOf } from '../auth/payer.ts';
import { type CatchUpOptions, type CatchUpReceiver, catchUp } from '../catch-up/catch-up.ts';
import type { CloseCode } from '../errors.ts';
import type { Fanout } from '../fanout/fanout.ts';
import type { Feed, View } from '../fanout/view.ts';
import type { Metrics } from '../metrics.ts';
import type { Codec } from '../protocol/codec.ts';
import type { Position, Reply, ServerFrame } from '../protocol/frames.ts';
import type { Broker } from '../topics/broker.ts';
import type { Payer } from '../topics/payer.ts';
import { isReserved } from '../topics/topic-name.ts';
import { CommandQueue } from './command-queue.ts';
import type { Connection } from './connection.ts';
import { LargeReplies } from './large-replies.ts';
import { Outbox } from './outbox.ts';
import type { Presence } from './presence.ts';
import type { SessionView } from './session-view.ts';
import { TokenBucket } from './token-bucket.ts';
import type { TurnBudget } from './turn-budget.ts';

/** What all sessions share. */
export interface SessionContext {
  readonly broker: Broker;
  readonly fanout: Fanout;
  readonly catchUp: CatchUpOptions;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs: () => number;
  readonly backpressureMaxBytes: number;
  readonly commandsPerSecond: number;
  readonly presence: Presence;
  readonly metrics: Pick<Metrics, 'sessionsLaggingTotal'>;
  /** Commands that are run in order, and catching up, take part in it. */
  readonly turnBudget: TurnBudget;
}

/** One session is caught up for this long at a time, then others have their turn. */
const catchUpTurnMs = 5;

/** Does all at once, or waits for something and answers what is to be done then. Never throws or rejects. */
type Command = () => void | Promise<() => void>;

/** Who is behind a connection, and where. */
export interface Peer {
  readonly identity: Identity;
  readonly address: string;
  readonly addressKey: string;
}

/** One connected client. Everything that is sent to it alone goes through here; live batches don't. */
export class Session implements CatchUpReceiver {
  readonly id: string;
  readonly peer: Peer;
  readonly connectedAtMs: number;
  readonly commandBucket: TokenBucket;
  /** By number of the view. */
  readonly views = new Map<number, SessionView>();
  #identity: Identity;
  /** Who pays for its work, and for what is kept because of it. */
  #payer: Payer;
  /** Of refusals by the rate limit; absent where there were none. */
  refusalBucket: TokenBucket | undefined;
  /** The client's name for itself. */
  client: string | undefined;
  /** It has sent `connect`. */
  introduced = false;
  /** It said that it can inflate with shared dictionaries. */
  knowsDictionaries = false;
  /** Of the last message or pong, milliseconds since 1970. */
  lastSeenMs: number;
  closed = false;
  /** What the gateway itself ended it for. */
  endedBy: CloseCode | undefined;
  readonly #connection: Connection;
  readonly #context: SessionContext;
  /** Views that it is behind in. Like what waits, absent where there is nothing: most sessions never need either. */
  #behind: Set<SessionView> | undefined;
  /** Messages of its own, and of views that it has left. */
  #messages = 0;
  #waiting: Outbox | undefined;
  #largeReplies: LargeReplies | undefined;
  #lagging = false;
  /** Its turn to be caught up is to come. */
  #catchUpAsked = false;
  /** When the catching up of this turn is to end, on the monotonic clock. */
  #catchUpUntilMs = Number.POSITIVE_INFINITY;
  /** What was buffered when somebody last looked, and since when it has not become less. */
  #progress: { bytes: number; sinceMs: number } | undefined;
  /** A command is being run that changes what the session takes part in. */
  #busy = false;
  /** Commands that came meanwhile, and wait for it. */
  #commands: CommandQueue<Command> | undefined;

  constructor(
    id: string,
    peer: Peer,
    connectedAtMs: number,
    connection: Connection,
    context: SessionContext,
  ) {
    this.id = id;
    this.peer = peer;
    this.#identity = peer.identity;
    this.#payer = payerOf(peer.identity, `session ${id}`, addressPayer(peer.addressKey));
    this.connectedAtMs = connectedAtMs;
    this.lastSeenMs = connectedAtMs;
    this.#connection = connection;
    this.#context = context;
    const { commandsPerSecond } = context;
    this.commandBucket = new TokenBucket(commandsPerSecond, commandsPerSecond, context.monotonicMs());
  }

  get identity(): Identity {
    return this.#identity;
  }

  set identity(identity: Identity) {
    this.#identity = identity;
    this.#payer = payerOf(identity, `session ${this.id}`, addressPayer(this.peer.addressKey));
  }

  /** Who pays for what is kept because of it. */
  get publisher(): Payer {
    return this.#payer;
  }

  /** The account that its work is charged to. */
  get payer(): string {
    return this.#payer.account;
  }

  get codec(): Codec {
    return this.#connection.codec;
  }

  get isLagging(): boolean {
    return this.#lagging;
  }

  /** Waits for its connection to drain. */
  get isWaiting(): boolean {
    return (
      this.#behind !== undefined || this.#waiting !== undefined || this.#largeReplies?.isWaiting === true
    );
  }

  /** Messages that it was sent: replies, pushes, and the frames of its views. */
  get messageCount(): number {
    let count = this.#messages;
    for (const { liveFrames } of this.views.values()) count += liveFrames;
    return count;
  }

  /** Of its connection. */
  bufferedBytes(): number {
    return this.closed ? 0 : this.#connection.bufferedBytes();
  }

  /** All that it was to be sent and that has not left this process. */
  unsentBytes(): number {
    return this.bufferedBytes() + (this.#waiting?.bytes ?? 0);
  }

  // ---- sending

  reply(id: number, reply: Reply): void {
    this.sendFrame({ ...reply, id } as ServerFrame);
  }

  push(push: Reply): void {
    this.reply(0, push);
  }

  sendFrame(frame: ServerFrame): void {
    if (!this.closed) this.sendBytes(this.codec.encodeServerFrame(frame));
  }

  sendBytes(message: Uint8Array): void {
    if (this.closed) return;
    this.#messages++;
    if (this.#waiting === undefined && this.#connection.send(message) === 'sent') return;
    this.#waiting ??= new Outbox();
    if (!this.#waiting.add(message)) this.terminate();
  }

  /**
   * Runs what makes a large reply once there is room for it, after the ones before. False: too many wait, it will not run.
   */
  replyLarge(run: () => Promise<unknown> | undefined): boolean {
    this.#largeReplies ??= new LargeReplies({
      hasRoom: () => this.hasRoom(),
      inTurn: (each) => this.#inTurn(each),
    });
    return this.#largeReplies.add(run);
  }

  hasRoom(): boolean {
    return (
      !this.closed &&
      !this.#isOverTime &&
      this.#waiting === undefined &&
      this.#connection.bufferedBytes() < this.#context.backpressureMaxBytes / 4
    );
  }

  get #isOverTime(): boolean {
    return this.#context.monotonicMs() > this.#catchUpUntilMs;
  }

  // ---- views

  /** Takes part in a view; the backlogs say what it has not had yet. Call `pump` once its reply is sent. */
  addView(sessionView: SessionView): void {
    this.views.set(sessionView.view.id, sessionView);
    this.#fallBehind(sessionView);
    if (isOfPresence(sessionView)) this.#context.presence.joined(this, sessionView.target);
  }

  removeView(sessionView: SessionView): void {
    if (this.views.get(sessionView.view.id) !== sessionView) return;
    this.views.delete(sessionView.view.id);
    this.#catchUpDone(sessionView);
    this.#messages += sessionView.liveFrames;
    const wasLive = sessionView.isLive;
    sessionView.leave();
    if (wasLive) this.#leave(sessionView);
    this.#context.fanout.detach(sessionView.view, sessionView.payer);
    const { watch, watches, target, view } = sessionView;
    if (watch !== undefined && --watch.watchers === 0) this.removeView(watch);
    if (watches !== undefined) this.#context.presence.unwatched(watches, view);
    else if (isOfPresence(sessionView)) this.#context.presence.left(this, target);
  }

  isLiveIn(view: View): boolean {
    return this.views.get(view.id)?.isLive === true;
  }

  goLive(sessionView: SessionView): void {
    const { view } = sessionView;
    const dictionary = sessionView.missingDictionary();
    if (dictionary !== undefined) this.sendBytes(dictionary);
    if (this.closed) return;
    const caughtUp = sessionView.goLive(this.#context.broker);
    this.#connection.join(view.channel);
    this.#context.fanout.addMember(view);
    if (caughtUp !== undefined) this.push(caughtUp);
  }

  /**
   * Its buffer was full: of these feeds it lacks everything behind these positions, and so many frames of its views were
   * not sent. It leaves all live streams.
   */
  lag(lost: ReadonlyMap<Feed, Position>, lostFrames: number): void {
    if (this.closed) return;
    this.#messages -= lostFrames;
    const live = [...this.views.values()].filter(({ isLive }) => isLive);
    if (live.length === 0) return;
    for (const sessionView of live) {
      this.#messages += sessionView.liveFrames;
      sessionView.lag(lost, this.#context.broker);
      this.#leave(sessionView);
      this.#fallBehind(sessionView);
    }
    if (!this.#lagging) {
      this.#lagging = true;
      this.#context.metrics.sessionsLaggingTotal.inc();
    }
    this.push({ kind: 'lagging', views: live.map(({ view }) => view.id) });
    // The connection may have drained between the drop and now: then it would not say so again.
    this.pump();
  }

  /**
   * Sends what waits, and now or in one of the next turns what it is behind with, as far as the buffer takes it. Call it
   * when the connection has drained.
   */
  pump(): void {
    if (this.closed) return;
    if (this.#waiting?.flush((message) => this.#connection.send(message) === 'sent') === true)
      this.#progress = undefined;
    if (this.#waiting?.isEmpty === false) return;
    this.#waiting = undefined;
    this.#largeReplies?.pump();
    if (this.#catchUpAsked) return;
    this.#catchUpAsked = true;
    this.#inTurn(() => this.#catchUp());
  }

  #catchUp(): void {
    this.#catchUpAsked = false;
    if (this.closed || this.#waiting !== undefined) return;
    this.#catchUpUntilMs = this.#context.monotonicMs() + catchUpTurnMs;
    this.#catchUpViews();
    this.#catchUpUntilMs = Number.POSITIVE_INFINITY;
  }

  /** The others have their turn first. */
  #catchUpLater(): void {
    this.#catchUpAsked = true;
    this.#context.turnBudget.later(() => this.#connection.cork(() => this.#catchUp()));
  }

  #catchUpViews(): void {
    const before = this.#messages;
    for (const sessionView of this.#behind ?? []) {
      // Also what lacks nothing waits for room: in a full buffer its next frame would be lost.
      if (this.#lagging && !this.hasRoom()) return;
      const { view, backlog } = sessionView;
      const done = backlog === undefined || catchUp(this, view, backlog, this.#context.catchUp);
      if (done) this.goLive(sessionView);
      if (!done && this.#isOverTime) this.#catchUpLater();
      // There was room for more: something has left the buffer. It may be as full again now.
      if (this.#messages > before) this.#progress = undefined;
      if (!done) return;
      this.#catchUpDone(sessionView);
    }
    this.#lagging = false;
    this.#progress = undefined;
  }

  // ---- commands

  /** A command that changes what the session takes part in is being run, or waits for its turn. */
  get isBusy(): boolean {
    return this.#busy;
  }

  /**
   * Runs commands that change what the session takes part in one after the other, each when the last is done. Thousands may come at
   * once, after an outage: they begin within what a turn has for that. False: too many bytes of commands wait, and it is not run.
   */
  inOrder(command: Command, bytes = 0): boolean {
    if (!this.#busy) {
      this.#busy = true;
      this.#inTurn(() => this.#run(command));
      return true;
    }
    this.#commands ??= new CommandQueue();
    return this.#commands.add(command, bytes);
  }

  #run(first: Command | undefined): void {
    for (let command = first; command !== undefined; command = this.#commands?.next()) {
      const waiting = command();
      if (waiting === undefined) continue;
      void waiting.then((finish) =>
        this.#connection.cork(() => {
          finish();
          this.#run(this.#commands?.next());
        }),
      );
      return;
    }
    this.#busy = false;
    this.#commands = undefined;
  }

  /** Within the share of this turn, or of a later one: what it sends then leaves together, as it does from the transport's callbacks. */
  #inTurn(run: () => void): void {
    this.#context.turnBudget.run(run, () => this.#connection.cork(run));
  }

  // ---- the end

  /** Since when it waits without a byte of progress, on the monotonic clock. Look regularly. */
  stuckSinceMs(): number | undefined {
    if (!this.isWaiting) return undefined;
    const bytes = this.bufferedBytes();
    const before = this.#progress;
    const hasMoved = before === undefined || bytes < before.bytes;
    const sinceMs = hasMoved ? this.#context.monotonicMs() : before.sinceMs;
    this.#progress = { bytes, sinceMs };
    return sinceMs;
  }

  end(code: CloseCode): void {
    if (this.closed) return;
    this.endedBy ??= code;
    this.#connection.end(code);
  }

  /** It doesn't read: ends it without a word, which it couldn't be sent. */
  terminate(): void {
    if (this.closed) return;
    this.endedBy ??= 'slow_consumer';
    this.#connection.terminate();
  }

  /** The connection is gone: nothing is sent any more, and nobody counts it in. */
  dispose(): void {
    this.closed = true;
    this.#waiting = undefined;
    this.#largeReplies?.clear();
    for (const sessionView of [...this.views.values()]) this.removeView(sessionView);
  }

  #fallBehind(sessionView: SessionView): void {
    this.#behind ??= new Set();
    this.#behind.add(sessionView);
  }

  #catchUpDone(sessionView: SessionView): void {
    this.#behind?.delete(sessionView);
    if (this.#behind?.size === 0) this.#behind = undefined;
  }

  #leave({ view }: SessionView): void {
    if (!this.closed) this.#connection.leave(view.channel);
    this.#context.fanout.removeMember(view);
  }
}

/** Being subscribed by name is being there; hearing `$all` or a pattern isn't. */
function isOfPresence({ target, view }: SessionView): boolean {
  return !view.isPattern && !isReserved(target);
}
