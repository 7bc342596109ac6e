import type { Identity } from '../auth/identity.ts';
import { payerOfSession } from '../auth/payer.ts';
import type { CloseCode } from '../errors.ts';
import type { OutFrame, Receiver } from '../fanout/sink.ts';
import type { Feed, View } from '../fanout/view.ts';
import type { CommandHead } from '../protocol/client-frames.ts';
import type { GatewayCodec } from '../protocol/codec.ts';
import type { Position } from '../protocol/frames.ts';
import type { Reply, ServerFrame } from '../protocol/server-frames.ts';
import type { Payer } from '../topics/payer.ts';
import type { HadOf } from './ahead.ts';
import type { Asker } from './application.ts';
import { CommandQueue, type QueueOwner } from './command-queue.ts';
import type { Connection } from './connection.ts';
import { Departure } from './departure.ts';
import { LargeReplies } from './large-replies.ts';
import { Outbox } from './outbox.ts';
import { type Peer, shownUserOf } from './peer.ts';
import type { SessionEvents, UnsubscribeReason } from './session-events.ts';
import type { SessionView } from './session-view.ts';
import {
  type DeliveryState,
  SessionViews,
  type SessionViewsById,
  type SessionViewsOptions,
} from './session-views.ts';
import type { Task } from './task.ts';
import type { TokenRate } from './token-bucket.ts';

/** What all sessions share. */
export interface SessionContext extends SessionViewsOptions {
  /** When this gateway began to take sessions, milliseconds since 1970. */
  readonly originMs: number;
  readonly backpressureMaxBytes: number;
  readonly commandRate: TokenRate;
  readonly refusalRate: TokenRate;
  /** A command of the session threw, which is a fault of the gateway. */
  readonly commandFailed: (error: unknown, session: Session) => void;
  /** Absent: nothing is told. */
  readonly events?: SessionEvents;
}

/** What a client says of itself. */
export interface Introduction {
  /** Its name for itself. */
  readonly client: string | undefined;
  /** It can inflate with shared dictionaries. */
  readonly knowsDictionaries: boolean;
  /** It says what its application has had (`Ping.acks`). */
  readonly acknowledges: boolean;
}

/**
 * One connected client: who it is, what it is sent (`Outbox`), what it takes part in (`SessionViews`, which hold its
 * state), and the commands that it runs in order (`CommandQueue`).
 */
export class Session implements Receiver, QueueOwner {
  readonly id: string;
  readonly peer: Peer;
  /** Milliseconds after `SessionContext.originMs`, and after that: small numbers take no memory of their own. */
  readonly #connectedAfterMs: number;
  #lastSeenAfterMs = 0;
  #endedBy: CloseCode | undefined;
  /** When its tokens for commands, and those for refusals, are complete again. */
  #commandsFullAtMs = 0;
  #refusalsFullAtMs = 0;
  /** What its `connect` said; absent before. */
  #introduction: Introduction | undefined;
  #identity: Identity;
  #payer: Payer;
  readonly #context: SessionContext;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #views: SessionViews;
  #commands: CommandQueue | undefined;
  /** The last of the calls to `inOrder`; absent before the first. */
  #last: Promise<unknown> | undefined;
  /** Absent until the first: most sessions never need it. */
  #largeReplies: LargeReplies | undefined;
  /** Absent until something waits for the application. */
  #departure: Departure | undefined;
  /** The expiry that its client was warned of. */
  #warnedOfMs: number | undefined;

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
    this.#payer = payerOfSession(peer.identity, id, peer.addressKey);
    this.#connectedAfterMs = small(connectedAtMs - context.originMs);
    this.#context = context;
    this.#connection = connection;
    this.#outbox = new Outbox({ connection, roomBytes: context.backpressureMaxBytes / 4, overflowed: this });
    this.#views = new SessionViews(this, connection, this.#outbox, context);
  }

  /** Milliseconds since 1970. */
  get connectedAtMs(): number {
    return this.#context.originMs + this.#connectedAfterMs;
  }

  get formerId(): string | undefined {
    return this.peer.formerSession;
  }

  /** Its user by its credential alone, which its requests show too; what the application knows it by they may not. */
  get shownUser(): string | undefined {
    return shownUserOf({ shown: this.peer.shown, identity: this.#identity });
  }

  get introduced(): boolean {
    return this.#introduction !== undefined;
  }

  get client(): string | undefined {
    return this.#introduction?.client;
  }

  get knowsDictionaries(): boolean {
    return this.#introduction?.knowsDictionaries === true;
  }

  /** Only its client knows what it has had: what has left the gateway does not count. */
  get acknowledges(): boolean {
    return this.saysWhatItHad || this.#connection.acknowledges === 'by receipt';
  }

  /** Its client said that it will say so itself: neither a cursor nor another poll tells what it has had. */
  get saysWhatItHad(): boolean {
    return this.#introduction?.acknowledges === true || this.#connection.acknowledges === 'by request';
  }

  /** It has sent `connect`. */
  introduce(introduction: Introduction): void {
    this.#introduction = introduction;
  }

  get identity(): Identity {
    return this.#identity;
  }

  set identity(identity: Identity) {
    this.#identity = identity;
    this.#payer = payerOfSession(identity, this.id, this.peer.addressKey);
  }

  /** Who pays for its work, and for what is kept because of it. */
  get payer(): Payer {
    return this.#payer;
  }

  /** Takes one of the commands that it may send. Returns 0, or the milliseconds to wait, on a monotonic clock. */
  takeCommand(nowMs: number): number {
    const { commandRate } = this.#context;
    const waitMs = commandRate.waitMs(this.#commandsFullAtMs, nowMs);
    if (waitMs === 0) this.#commandsFullAtMs = commandRate.afterOne(this.#commandsFullAtMs, nowMs);
    return waitMs;
  }

  /** One of its commands is refused for their rate. False: there were too many, and it is to be ended. */
  takeRefusal(nowMs: number): boolean {
    const { refusalRate } = this.#context;
    if (refusalRate.waitMs(this.#refusalsFullAtMs, nowMs) > 0) return false;
    this.#refusalsFullAtMs = refusalRate.afterOne(this.#refusalsFullAtMs, nowMs);
    return true;
  }

  /** When its last message or pong came, milliseconds since 1970. */
  get lastSeenAtMs(): number {
    return this.connectedAtMs + this.#lastSeenAfterMs;
  }

  /** It gave a sign of life. */
  heard(wallMs: number): void {
    this.#lastSeenAfterMs = small(wallMs - this.connectedAtMs);
  }

  /** As the application is told of it. */
  get asker(): Asker {
    const { id: session, identity, transport, peer, payer } = this;
    const onGone = (run: () => void) => this.onGone(run);
    return { session, identity, transport, address: peer.address, payer, onGone };
  }

  onGone(run: () => void): () => void {
    this.#departure ??= new Departure();
    if (this.closed) this.#departure.over();
    return this.#departure.onGone(run);
  }

  /** The name of its transport. */
  get transport(): string {
    return this.#connection.sink.transport;
  }

  get codec(): GatewayCodec {
    return this.#connection.codec;
  }

  get state(): DeliveryState {
    return this.#views.state;
  }

  get closed(): boolean {
    return this.#views.state === 'ended';
  }

  get isLagging(): boolean {
    return this.#views.state === 'lagging';
  }

  /** Waits for its connection to drain. */
  get isWaiting(): boolean {
    return this.#views.isBehind || this.#outbox.isWaiting || this.#largeReplies?.isWaiting === true;
  }

  /** Messages for it wait for its buffer to drain, after what is in there. */
  get hasWaitingMessages(): boolean {
    return this.#outbox.isWaiting;
  }

  /** Messages that it was sent: replies, pushes, and the frames of its views. */
  get messageCount(): number {
    return this.#outbox.messageCount + this.#views.liveFrames;
  }

  /** All that it was to be sent and that has not left this process. */
  get unsentBytes(): number {
    // Between polls the buffer counts as full, and is empty.
    return this.#views.isParked ? this.#outbox.waitingBytes : this.#outbox.unsentBytes;
  }

  // ---- sending

  reply({ id, answer }: CommandHead, reply: Reply): void {
    const frame = { ...reply, id } as ServerFrame;
    const answered = answer?.(frame);
    if (answered === undefined) this.sendFrame(frame);
    else this.sendBytes(answered);
  }

  push(push: Reply): void {
    this.#outbox.push(push);
  }

  sendFrame(frame: ServerFrame): void {
    this.#outbox.sendFrame(frame);
  }

  sendBytes(message: Uint8Array): void {
    this.#outbox.send(message);
  }

  /** Runs a command whose reply is large once there is room for it, after those before. False: too many wait. */
  replyLarge(task: Task): boolean {
    this.#largeReplies ??= new LargeReplies({
      connection: this.#connection,
      outbox: this.#outbox,
      turnBudget: this.#context.turnBudget,
      faults: this,
    });
    return this.#largeReplies.add(task);
  }

  /** Runs calls one after the other, also when one before has failed. */
  inOrder<T>(run: () => Promise<T>): Promise<T> {
    const result = (this.#last ?? Promise.resolve()).then(run);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Commands that change what the session is or takes part in, and those that follow them. Made when needed. */
  get commands(): CommandQueue {
    this.#commands ??= new CommandQueue(this.#connection, this.#context.turnBudget, this);
    return this.#commands;
  }

  /** Such a command runs, or waits for its turn. */
  get runsCommands(): boolean {
    return this.#commands !== undefined;
  }

  /** An idle session needs no queue (`bench -- memory`). */
  ranAll(): void {
    this.#commands = undefined;
  }

  failed(error: unknown): void {
    this.#context.commandFailed(error, this);
  }

  /** The client reads, though frames of its live views may fill the buffer as fast. */
  drained(): void {
    this.#outbox.progressed();
    this.pump();
  }

  /** Sends what waits, and what the session still has to catch up with, as far as there is room. */
  pump(): void {
    if (this.closed || !this.#outbox.drain()) return;
    this.#largeReplies?.pump();
    this.#views.catchUpSoon();
  }

  // ---- views

  get views(): SessionViewsById {
    return this.#views;
  }

  /** Takes part in a view. Call `pump` once the reply is sent. */
  addView(sessionView: SessionView): void {
    this.#views.add(sessionView);
    if (!sessionView.automatic) this.#context.events?.subscribed(this, sessionView.target);
  }

  removeView(sessionView: SessionView, reason: UnsubscribeReason): void {
    this.#views.remove(sessionView, reason);
  }

  viewRemoved({ automatic, target }: SessionView, reason: UnsubscribeReason): void {
    if (!automatic) this.#context.events?.unsubscribed(this, target, reason);
  }

  get liveViews(): readonly View[] {
    return this.#views.live;
  }

  isSubscribedTo(viewId: number): boolean {
    return this.#views.get(viewId) !== undefined;
  }

  isLiveIn(view: View): boolean {
    return this.#views.isLiveIn(view);
  }

  lag(lost: ReadonlyMap<Feed, Position>, lostFrames: number): void {
    this.#views.lag(lost, lostFrames);
  }

  had(frame: OutFrame): HadOf {
    return this.#views.had(frame);
  }

  rejoin(lost: ReadonlyMap<Feed, Position>, lostFrames: number): void {
    this.#views.rejoin(lost, lostFrames);
  }

  /** Its client is away for a moment. It is sent nothing more of its views until `unpark`. */
  park(): void {
    this.#views.park();
  }

  get isParked(): boolean {
    return this.#views.isParked;
  }

  unpark(): void {
    this.#views.unpark();
    this.pump();
  }

  // ---- the end

  /** Since when it has waited without a byte of progress, on the monotonic clock. Call it regularly. */
  stuckSinceMs(): number | undefined {
    if (this.isWaiting && !this.#views.isParked)
      return this.#outbox.stuckSinceMs(this.#context.monotonicMs());
    this.#outbox.progressed();
    return undefined;
  }

  /** Tells the client, once, that this token expires soon. */
  warnOfExpiry(expiresMs: number): void {
    if (this.#warnedOfMs === expiresMs) return;
    this.#warnedOfMs = expiresMs;
    this.push({ kind: 'tokenExpiring', expiresMs });
  }

  /** Tells the client why it is ended and when to come back, and ends it. */
  goAway(code: CloseCode, reconnectDelayMs = 0): void {
    this.push({ kind: 'goingAway', reconnectDelayMs, reason: code });
    this.end(code);
  }

  /** Why the gateway ended it; undefined: it has not ended, or its client ended it. */
  get endedBy(): CloseCode | undefined {
    return this.#endedBy;
  }

  /** The transport ended it by itself. An earlier reason stays. */
  wasEnded(code: CloseCode): void {
    this.#endedBy ??= code;
  }

  end(code: CloseCode): void {
    if (this.closed) return;
    this.#endedBy ??= code;
    this.#connection.end(code);
  }

  /** Ends a client that does not read, and so could not be told why. */
  terminate(): void {
    if (this.closed) return;
    this.#endedBy ??= 'slow_consumer';
    this.#connection.terminate();
  }

  /** The connection is gone: nothing is sent any more, and the session leaves everything that it takes part in. */
  dispose(): void {
    this.#outbox.close();
    this.#largeReplies?.clear();
    this.#views.end();
    this.#departure?.over();
  }
}

/** V8 keeps the difference of two large numbers as an object. Rounded, a small one is a part of its owner. */
function small(difference: number): number {
  return Math.round(difference);
}
