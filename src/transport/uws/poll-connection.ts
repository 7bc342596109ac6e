import type { CloseCode } from '../../errors.ts';
import type { OutFrame } from '../../fanout/sink.ts';
import type { SubscribeResult } from '../../protocol/frames.ts';
import type { ByteCharges } from '../../sessions/limits/charges.ts';
import type { Session } from '../../sessions/session.ts';
import { cursorEnd } from '../../sessions/subscriptions/stream-cursors.ts';
import {
  type SharedByConnections,
  StreamConnection,
  type StreamConnectionOptions,
} from './stream-connection.ts';

/** The response to a poll. */
export interface PollResponse {
  /** Frames of the JSON codec; empty: there was nothing. */
  readonly frames: readonly Uint8Array[];
  /** Where the next poll continues; undefined: where this one did. */
  readonly cursor: string | undefined;
}

/** A poll that waits for its response. */
export interface Poll {
  respond(response: PollResponse): void;
  /** Ends without a response. */
  drop(): void;
}

export interface PollConnectionOptions extends StreamConnectionOptions {
  readonly acknowledges: 'by receipt' | 'by request';
  /** The session that the client's first cursor names. */
  readonly formerSession: string | undefined;
}

export interface SharedByPolls extends SharedByConnections {
  /** The largest response that waits for more: see `#grows`. */
  readonly responseMaxBytes: number;
  /** Charged for such a response. */
  readonly unread: ByteCharges;
}

/** What a response that waits for more may have at a time. */
const growthBytes = 256 * 1024;

/**
 * The polls of one client as the connection of a session. While a poll waits, the first frames answer it, with all
 * others of the same turn of the event loop. Between polls the session is parked: it keeps its places, and later gets
 * from the rings what came meanwhile.
 */
export class PollConnection extends StreamConnection {
  readonly formerSession: string | undefined;
  readonly #shared: SharedByPolls;
  #poll: Poll | undefined;
  #frames: Uint8Array[] = [];
  #bytes = 0;
  #unsentPublications = 0;
  /** The poll is looked at when this turn of the event loop ends. */
  #isLookAsked = false;
  /** The poll has waited long enough. */
  #isTimeUp = false;
  /** The response waits until it has all that the client lacks. */
  #isGrowing = false;
  /** What is charged for such a response, and to whom: what it has, or what it may have next. */
  #charged = { account: '', bytes: 0 };
  /** The first frames of the response, which tell the client nothing that it has to know at once. */
  #greetings = 0;
  /** The cursor of the last response. The session can't continue at any other. */
  #cursor: string | undefined;
  #parkedAtMs = 0;

  constructor(shared: SharedByPolls, options: PollConnectionOptions) {
    super(shared, options);
    this.#shared = shared;
    this.formerSession = options.formerSession;
  }

  override get unsentPublications(): number {
    return this.#unsentPublications;
  }

  /** Whether a poll with this cursor continues where the session is. */
  continuesAt(cursor: string): boolean {
    return !this.isClosed && cursor === this.#cursor;
  }

  /** Since when no poll has waited, on the monotonic clock; undefined: one waits. */
  get parkedAtMs(): number | undefined {
    return this.#poll === undefined ? this.#parkedAtMs : undefined;
  }

  /** The first poll: it waits for the session to be subscribed. */
  open(poll: Poll): void {
    this.#poll = poll;
  }

  /**
   * The session is subscribed, and the client was told of it: only now its cursor covers everything. If the client goes
   * on where another session left off, and lacks nothing, its poll waits for news as it would have waited there. With
   * the greeting alone as the response, a client whose polls come to two nodes in turn would poll without a pause.
   */
  begin(session: Session, isContinued: boolean, results: readonly SubscribeResult[]): void {
    this.covers(session);
    if (isContinued && results.every(isWhole)) {
      const news = this.#frames.findIndex((frame) => !isGreeting(frame));
      this.#greetings = news < 0 ? this.#frames.length : news;
    }
    this.#lookSoon();
    session.pump();
  }

  /** The client polls again. A poll that waits already is answered with nothing. */
  wait(poll: Poll): void {
    if (this.#poll !== undefined) this.#finish([], this.#cursor);
    this.#poll = poll;
    this.session?.views.unpark();
  }

  /** This poll has waited long enough. It is answered once the session has been caught up, if need be with nothing. */
  timeUp(poll: Poll): void {
    if (this.#poll !== poll) return;
    this.#isTimeUp = true;
    this.#look();
  }

  /** The client of this poll is gone. Frames for its response are lost, so no later poll may continue here. */
  abandoned(poll: Poll): void {
    if (this.#poll !== poll) return;
    this.#poll = undefined;
    if (this.#frames.length > 0) this.#cursor = undefined;
    this.#park();
  }

  /** Nothing waits for `flush`. */
  override take({ bytes, publications }: OutFrame): 'another' | 'none' {
    if (this.isClosed) return 'another';
    if (this.#poll === undefined || this.#bytes > this.roomBytes) return 'none';
    this.#unsentPublications += publications;
    this.#collect(bytes);
    return 'another';
  }

  override flush(): void {}

  override send(message: Uint8Array): 'sent' | 'dropped' {
    if (this.isClosed) return 'sent';
    if (this.#poll === undefined) return 'dropped';
    this.#shared.sentBytes.inc(message.length);
    this.#collect(message);
    return 'sent';
  }

  override cork(run: () => void): void {
    run();
  }

  /** A response may fill the buffer: nothing is added to it while it is read, and each costs a round trip. */
  get roomBytes(): number {
    return this.#isGrowing ? this.#charged.bytes : this.#shared.backpressureMaxBytes;
  }

  /** Between polls there is no room. */
  override bufferedBytes(): number {
    if (this.isClosed) return 0;
    return this.#poll === undefined ? this.#shared.backpressureMaxBytes : this.#bytes;
  }

  override end(_code: CloseCode): void {
    if (this.isClosed) return;
    // It was told nothing yet, not even what the gateway subscribes it to by itself: there is no cursor for that.
    if (this.holder === undefined) this.#poll?.drop();
    // The client is told why, and continues with another session, after what it gets now.
    else if (this.#poll !== undefined) this.#finish(this.#frames, this.#reached());
    this.gone();
  }

  override terminate(): void {
    if (this.isClosed) return;
    this.#poll?.drop();
    this.gone();
  }

  protected override dropUnsent(): void {
    this.#poll = undefined;
    this.#reset();
  }

  caughtUp(): void {
    this.#lookSoon();
  }

  #collect(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.#bytes += frame.length;
    this.#lookSoon();
  }

  /** The poll that waits is to be answered, if need be with nothing. */
  get #isDue(): boolean {
    const { length } = this.#frames;
    return (
      this.#poll !== undefined && this.holder !== undefined && (length > this.#greetings || this.#isTimeUp)
    );
  }

  #lookSoon(): void {
    if (this.#isLookAsked || !this.#isDue) return;
    this.#isLookAsked = true;
    setImmediate(() => {
      this.#isLookAsked = false;
      this.#look();
    });
  }

  /**
   * Answers the poll if it can be. Where frames were lost, the client's position is known only when the session was
   * told of it, which is in the sink's next turn. Where the response waits for more, `caughtUp` looks again.
   */
  #look(): void {
    if (!this.#isDue) return;
    if (this.sink.hasLost(this)) this.#lookSoon();
    else if (!this.#fills() && !this.#grows()) this.#respond();
  }

  /** Whether the response has room for more of what the client lacks: a busy gateway sends that over several turns. */
  #fills(): boolean {
    if (this.session?.isWaiting !== true || this.#bytes >= this.#shared.backpressureMaxBytes) return false;
    this.session.pump();
    return true;
  }

  /**
   * Whether the response has to wait for more. The next poll may come to another node, and there a client that was sent
   * a part of a topic's values gets all of them: with a part in each response it would never have the whole.
   */
  #grows(): boolean {
    const { session, holder } = this;
    if (session?.isWaiting !== true || this.#bytes >= this.#shared.responseMaxBytes) return false;
    if (holder === undefined || this.#shared.cursors.isExact(holder) !== false) return false;
    if (this.#bytes >= this.#charged.bytes && !this.#charge(session.lastingAccount)) return false;
    this.#isGrowing = true;
    session.pump();
    return true;
  }

  /** Before there is more: thousands of responses may grow at a time. */
  #charge(account: string): boolean {
    const { responseMaxBytes } = this.#shared;
    const bytes = Math.max(this.#bytes, Math.min(this.#bytes + growthBytes, responseMaxBytes));
    if (!this.#shared.unread.take(account, bytes - this.#charged.bytes)) return false;
    this.#charged = { account, bytes };
    return true;
  }

  #release(): void {
    const { account, bytes } = this.#charged;
    if (bytes > 0) this.#shared.unread.give(account, bytes);
    this.#charged = { account: '', bytes: 0 };
  }

  /** The client's position after the frames of this poll; undefined: it has not moved, as far as is known. */
  #reached(): string | undefined {
    const start = this.cursorStart();
    return start === undefined || this.holder === undefined ? undefined : start + cursorEnd(this.holder);
  }

  #respond(): void {
    const cursor = this.#reached();
    if (cursor !== undefined) this.#cursor = cursor;
    this.#finish(this.#frames, cursor);
    this.#park();
  }

  #finish(frames: readonly Uint8Array[], cursor: string | undefined): void {
    const poll = this.#poll;
    this.#poll = undefined;
    this.#isTimeUp = false;
    this.#unsentPublications = 0;
    this.#release();
    poll?.respond({ frames, cursor });
  }

  #park(): void {
    this.sink.unsent(this.#unsentPublications);
    this.#reset();
    this.#parkedAtMs = this.#shared.monotonicMs();
    this.session?.views.park();
  }

  #reset(): void {
    this.#release();
    this.#isGrowing = false;
    this.#frames = [];
    this.#greetings = 0;
    this.#bytes = 0;
    this.#unsentPublications = 0;
    this.#isTimeUp = false;
  }
}

/** Whether this frame tells of a session or of its subscriptions. */
function isGreeting(frame: Uint8Array): boolean {
  return /^{"type":"(connected|subscribed)"/.test(Buffer.from(frame.subarray(0, 32)).toString('latin1'));
}

/** Whether a subscription goes on where it was, without a loss. */
function isWhole(result: SubscribeResult): boolean {
  return !('error' in result) && result.recovered === true;
}
