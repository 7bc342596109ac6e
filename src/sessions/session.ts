import type { Identity } from '../auth/identity.ts';
import { payerOfSession } from '../auth/payer.ts';
import type { CloseCode } from '../errors.ts';
import type { CommandHead } from '../protocol/client-frames.ts';
import type { GatewayCodec } from '../protocol/codec.ts';
import type { Reply, ServerFrame } from '../protocol/server-frames.ts';
import { lastingAccount, type Payer } from '../topics/payer.ts';
import type { Asker } from './application.ts';
import { PublishPipeline } from './commands/publish-pipeline.ts';
import { type CommandsOwner, SessionCommands } from './commands/session-commands.ts';
import type { Connection } from './connection.ts';
import { Departure } from './departure.ts';
import type { TokenRate } from './limits/token-bucket.ts';
import { Outbox } from './outbox.ts';
import { type Peer, shownUserOf } from './peer.ts';
import { SessionViews, type SessionViewsOptions, type ViewsOwner } from './subscriptions/session-views.ts';

/** What all sessions share. */
export interface SessionContext extends SessionViewsOptions {
  /** When this gateway began to take sessions, milliseconds since 1970. */
  readonly originMs: number;
  readonly backpressureMaxBytes: number;
  readonly commandRate: TokenRate;
  readonly refusalRate: TokenRate;
  readonly turn: Turn;
  /** A command of the session threw, which is a fault of the gateway. */
  readonly commandFailed: (error: unknown, session: Session) => void;
}

/** The turn of the event loop in which something of a client is read. */
export interface Turn {
  /** It is long already because of what clients have sent, and what is read now comes from one that has sent much. */
  readonly isFlooded: boolean;
  /** It is long already because of what clients have sent. */
  readonly isLong: boolean;
  /** As in `Arrival`. */
  readonly sinceMs: number;
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
 * One refusal counts as this many in a turn that its client has flooded: a message or control frame takes some
 * microseconds, and the library brings tens of thousands of one connection in a turn.
 */
const refusalsInFlood = 20;

/**
 * One connected client: who it is, and how long it lives. Its parts: `outbox`, what it is sent; `views`, what it takes
 * part in, and its state; `commands`, those under way.
 */
export class Session implements ViewsOwner, CommandsOwner {
  readonly id: string;
  readonly peer: Peer;
  /** Milliseconds after `SessionContext.originMs`: small numbers take no memory of their own. */
  readonly #connectedAfterMs: number;
  /** On the monotonic clock. */
  readonly #openedAtMs: number;
  #lastSeenAfterMs = 0;
  #endedBy: CloseCode | undefined;
  #isLeaving = false;
  /** When its tokens for commands, and those for refusals, are complete again. */
  #commandsFullAtMs = 0;
  #refusalsFullAtMs = 0;
  /** Absent until it publishes. */
  #pipeline: PublishPipeline | undefined;
  #introduction: Introduction | undefined;
  #identity: Identity;
  #payer: Payer;
  readonly #context: SessionContext;
  readonly #connection: Connection;
  /** What is sent to it alone: replies, pushes, catch-up. */
  readonly outbox: Outbox;
  readonly views: SessionViews;
  /** Absent while none is under way, as in an idle session (`bench -- memory`). */
  #commands: SessionCommands | undefined;
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
    this.#openedAtMs = small(context.monotonicMs());
    this.#context = context;
    this.#connection = connection;
    this.outbox = new Outbox({ connection, roomBytes: context.backpressureMaxBytes / 4, session: this });
    this.views = new SessionViews(this, connection, this.outbox, context);
  }

  /** Milliseconds since 1970. */
  get connectedAtMs(): number {
    return this.#context.originMs + this.#connectedAfterMs;
  }

  /** How long ago its connection was opened, by the monotonic clock. */
  get ageMs(): number {
    return Math.max(0, this.#context.monotonicMs() - this.#openedAtMs);
  }

  get formerId(): string | undefined {
    return this.peer.formerSession;
  }

  /**
   * Its user by its credential alone. Requests of the same client show that user, not always the one that the
   * application has given it.
   */
  get shownUser(): string | undefined {
    return shownUserOf({ shown: this.peer.shown, identity: this.#identity });
  }

  /** What its `connect` said; undefined: it has sent none. */
  get introduction(): Introduction | undefined {
    return this.#introduction;
  }

  /** Only its client says what it has had: frames that have left the gateway do not count as had. */
  get acknowledges(): boolean {
    return this.saysWhatItHad || this.#connection.acknowledges === 'by receipt';
  }

  /** Its client has promised acknowledgements, so neither a cursor nor another poll counts as one. */
  get saysWhatItHad(): boolean {
    return this.#introduction?.acknowledges === true || this.#connection.acknowledges === 'by request';
  }

  /** Whether its client passes over what it has had, by offsets. Undefined: it may, or may not. */
  get comparesOffsets(): boolean | undefined {
    return this.#connection.comparesOffsets ?? this.codec.comparesOffsets;
  }

  /** It has sent `connect`. */
  introduce(introduction: Introduction): void {
    this.#introduction = introduction;
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** Its client has shown another credential. */
  becomes(identity: Identity): void {
    this.#identity = identity;
    this.#payer = payerOfSession(identity, this.id, this.peer.addressKey);
  }

  /** Who pays for its work, and for what is kept because of it. */
  get payer(): Payer {
    return this.#payer;
  }

  get lastingAccount(): string {
    return lastingAccount(this.#payer);
  }

  /** Takes one of the commands that it may send. Returns 0, or the milliseconds to wait, on a monotonic clock. */
  takeCommand(nowMs: number): number {
    const { commandRate, turn } = this.#context;
    const waitMs = commandRate.waitMs(this.#commandsFullAtMs, nowMs);
    if (waitMs === 0)
      this.#commandsFullAtMs = commandRate.afterOne(this.#commandsFullAtMs, nowMs, turn.sinceMs);
    return waitMs;
  }

  /** One of its commands is refused for their rate. False: there were too many, and it is to be ended. */
  takeRefusal(nowMs: number): boolean {
    const { refusalRate, turn } = this.#context;
    if (refusalRate.waitMs(this.#refusalsFullAtMs, nowMs) > 0) return false;
    const refusals = turn.isFlooded ? refusalsInFlood : 1;
    this.#refusalsFullAtMs = refusalRate.after(this.#refusalsFullAtMs, turn.sinceMs, refusals);
    return true;
  }

  /** What it publishes. */
  get pipeline(): PublishPipeline {
    this.#pipeline ??= new PublishPipeline();
    return this.#pipeline;
  }

  /** See `PublishPipeline.decoded`. */
  decoded(beginsPipeline: boolean): void {
    this.#pipeline?.decoded(beginsPipeline);
  }

  /** When its last message or pong came, milliseconds since 1970. */
  get lastSeenAtMs(): number {
    return this.connectedAtMs + this.#lastSeenAfterMs;
  }

  /** A message or pong has come. */
  heard(wallMs: number): void {
    this.#lastSeenAfterMs = small(wallMs - this.connectedAtMs);
  }

  /** The client, for questions to the application. */
  get asker(): Asker {
    const { id: session, identity, transport, peer, payer } = this;
    const onGone = (run: () => void) => this.#onGone(run);
    return { session, identity, transport, address: peer.address, payer, onGone };
  }

  #onGone(run: () => void): () => void {
    this.#departure ??= new Departure();
    if (this.isClosed) this.#departure.over();
    return this.#departure.onGone(run);
  }

  /** The name of its transport. */
  get transport(): string {
    return this.#connection.sink.transport;
  }

  get codec(): GatewayCodec {
    return this.#connection.codec;
  }

  get isClosed(): boolean {
    return this.views.state === 'ended';
  }

  /** Waits for its connection to drain. */
  get isWaiting(): boolean {
    return this.views.isCatchingUp || this.outbox.isWaiting || this.#commands?.hasWaitingReply === true;
  }

  /** Messages that it was sent: replies, pushes, and the frames of its views. */
  get messageCount(): number {
    return this.outbox.messageCount + this.views.liveFrames;
  }

  /** All that it was to be sent and that has not left this process. */
  get unsentBytes(): number {
    // Between polls the buffer counts as full, and is empty.
    return this.views.isParked ? this.outbox.waitingBytes : this.outbox.unsentBytes;
  }

  reply({ id, encodeReply }: CommandHead, reply: Reply): void {
    // A spread that comes first is slower (`bench -- storm`).
    const frame = { id, ...reply } as ServerFrame;
    const encoded = encodeReply?.(frame);
    if (encoded === undefined) this.outbox.sendFrame(frame);
    else this.outbox.send(encoded);
  }

  // ---- commands

  /** Its commands that are under way; made when the first is. */
  get commands(): SessionCommands {
    this.#commands ??= new SessionCommands(this.#connection, this.outbox, this.#context.turnBudget, this);
    return this.#commands;
  }

  commandsDone(): void {
    this.#commands = undefined;
  }

  /** A command that changes it runs or waits. */
  get isChanging(): boolean {
    return this.#commands?.isQueueBusy === true;
  }

  failed(error: unknown): void {
    this.#context.commandFailed(error, this);
  }

  // ---- sending what waits

  /** The client reads, though frames of its live views may fill the buffer as fast. */
  drained(): void {
    this.outbox.progressed();
    this.pump();
  }

  /** Sends what waits, and what the session still has to catch up with, as far as there is room. */
  pump(): void {
    if (this.isClosed || !this.outbox.drain()) return;
    this.#commands?.pump();
    this.views.catchUpSoon();
  }

  // ---- the end

  /** Since when it has waited without a byte of progress, on the monotonic clock. Call it regularly. */
  stuckSinceMs(): number | undefined {
    const { isParked, isPaused } = this.views;
    if (this.isWaiting && !isParked && !isPaused)
      return this.outbox.stuckSinceMs(this.#context.monotonicMs());
    this.outbox.progressed();
    return undefined;
  }

  /** Tells the client, once, that its token expires soon. */
  warnOfExpiry(): void {
    const { expiresAtMs: expiresMs } = this.#identity;
    if (expiresMs === undefined || this.#warnedOfMs === expiresMs || this.isClosed) return;
    this.#warnedOfMs = expiresMs;
    this.outbox.push({ kind: 'tokenExpiring', expiresMs });
  }

  /** It will be ended in one of the next turns: it is sent nothing more of its subscriptions, and not heard. */
  leave(): void {
    this.#isLeaving = true;
    this.#connection.holdCursor?.();
    this.views.stop();
  }

  endForUnnamedLoss(): void {
    if (this.#isLeaving) return;
    this.leave();
    this.#context.turnBudget.later(() => {
      if (!this.isClosed) this.goAway('going_away');
    });
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Tells the client why it is ended and when to come back, and ends it. */
  goAway(code: CloseCode, reconnectDelayMs = 0): void {
    this.outbox.push({ kind: 'goingAway', reconnectDelayMs, reason: code });
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
    if (this.isClosed) return;
    this.#endedBy ??= code;
    this.#connection.end(code);
  }

  /** Ends a client that does not read, and so could not be told why. */
  terminate(): void {
    if (this.isClosed) return;
    this.#endedBy ??= 'slow_consumer';
    this.#connection.terminate();
  }

  /** The connection is gone: nothing is sent any more, and the session leaves everything that it takes part in. */
  dispose(): void {
    this.outbox.close();
    this.#commands?.clear();
    this.views.end();
    this.#departure?.over();
  }
}

/** V8 keeps a fraction as an object of its own. A small integer is part of the object that has it. */
function small(difference: number): number {
  return Math.round(difference);
}
