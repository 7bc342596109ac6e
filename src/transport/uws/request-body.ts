import type { HttpResponse } from 'uWebSockets.js';
import { type Awaitable, whenDone } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import { Slabs } from '../../protocol/slabs.ts';
import type { ByteCharges } from '../../sessions/limits/charges.ts';
import { BodyBlocks, BodyPieces } from './body-pieces.ts';
import type { RequestTurn } from './request-turn.ts';

/** What all bodies share. */
export interface BodyOptions {
  /** Bodies that have not come to their end, or whose requests are not answered yet. */
  readonly incoming: ByteCharges;
  readonly turn: RequestTurn;
  readonly metrics: Pick<Metrics, 'connectionsRejectedTotal'>;
}

/** What the head of a request says of its body. */
export interface BodyTerms {
  readonly bodyMaxBytes: number;
  readonly account: string;
  /** Resolves with why the request is refused, or undefined. */
  readonly refusal?: Promise<SluiceError | undefined> | undefined;
}

/**
 * Called once, unless `drop` comes before. The body is charged until the result is there. `isInHandler`: while the
 * library waits for the return of a handler.
 */
export type FinishBody = (body: Uint8Array | SluiceError, isInHandler: boolean) => Awaitable<void>;

/** Smaller bodies are not charged. */
const smallBytes = 16 * 1024;
const busyRetryMs = 1000;
/**
 * A body may come in this many chunks of any size, and more where they have this many bytes on average. A chunk takes
 * about a microsecond, whatever its size.
 */
const chunksFree = 1000;
/** The same in a turn that is long already. */
const chunksFreeInLongTurn = 50;
const chunkMeanBytes = 128;
/**
 * Most bodies are small and short-lived. Memory of its own for each takes a tenth of the time of a publish (`bench --
 * http`).
 */
const slabs = new Slabs(16_384);
const sharedMaxBytes = 2048;
const blocks = new BodyBlocks();

/**
 * Collects the body of a request into memory of its own: the library reuses its memory as soon as the handler returns.
 * The bytes are charged. Over a limit, or once the request is refused, the body is dropped at once. Until it is known
 * whether the request is refused, nothing more is read from its connection.
 */
export class RequestBody {
  readonly #response: HttpResponse;
  readonly #options: BodyOptions;
  readonly #terms: BodyTerms;
  readonly #finish: FinishBody;
  /** Undefined until there are two: most bodies come in one piece. */
  #pieces: BodyPieces | undefined;
  #chunks = 0;
  #bytes = 0;
  #held = 0;
  #over = false;
  #pending: boolean;
  #paused = false;

  constructor(response: HttpResponse, options: BodyOptions, terms: BodyTerms, finish: FinishBody) {
    this.#response = response;
    this.#options = options;
    this.#terms = terms;
    this.#finish = finish;
    this.#pending = terms.refusal !== undefined;
    response.onData((chunk, isLast) => this.#take(chunk, isLast));
    void terms.refusal?.then((refusal) => this.#decided(refusal));
  }

  /** The client is gone. Returns whether `finish` will not be called any more. */
  drop(): boolean {
    const isUnfinished = !this.#over;
    this.#over = true;
    this.#dropPieces();
    if (this.#held > 0) this.#options.incoming.give(this.#terms.account, this.#held);
    this.#held = 0;
    return isUnfinished;
  }

  #take(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#over) return;
    const { bodyMaxBytes } = this.#terms;
    this.#bytes += chunk.byteLength;
    this.#chunks++;
    if (this.#chunks > chunksFreeInLongTurn && this.#isTooFine()) {
      this.#options.metrics.connectionsRejectedTotal.inc({ reason: 'invalid_request' });
      // Nothing else keeps the library from calling for each chunk that it has read (test/transport/uws/facts.test.ts).
      this.#response.close();
    } else if (this.#bytes > bodyMaxBytes) {
      this.#end(new SluiceError('frame_too_large', `a body has at most ${bodyMaxBytes} bytes`));
    } else if (this.#bytes > smallBytes && !this.#hold(chunk.byteLength)) {
      this.#end(tooMuchIncoming());
    } else if (isLast && this.#pieces === undefined) {
      this.#end(copyOf(chunk));
    } else {
      this.#pieces ??= new BodyPieces(blocks);
      this.#pieces.add(new Uint8Array(chunk));
      if (isLast) this.#end(this.#pieces.joined());
      else if (this.#pending) this.#pause();
    }
  }

  #isTooFine(): boolean {
    const { turn } = this.#options;
    turn.count();
    const free = turn.isLong ? chunksFreeInLongTurn : chunksFree;
    return this.#chunks > free + this.#bytes / chunkMeanBytes;
  }

  #hold(bytes: number): boolean {
    if (!this.#options.incoming.take(this.#terms.account, bytes)) return false;
    this.#held += bytes;
    return true;
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#response.pause();
  }

  #decided(refusal: SluiceError | undefined): void {
    this.#pending = false;
    if (this.#over) return;
    // Resumes before the response, because the library takes no calls after it.
    if (this.#paused) this.#response.resume();
    if (refusal !== undefined) this.#end(refusal, false);
  }

  #dropPieces(): void {
    this.#pieces?.drop();
    this.#pieces = undefined;
  }

  #end(body: Uint8Array | SluiceError, isInHandler = true): void {
    const held = this.#held;
    this.#held = 0;
    this.#over = true;
    this.#dropPieces();
    const finished = this.#finish(body, isInHandler);
    if (held > 0) void whenDone(finished, () => this.#options.incoming.give(this.#terms.account, held));
  }
}

function copyOf(chunk: ArrayBuffer): Uint8Array {
  if (chunk.byteLength > sharedMaxBytes) return new Uint8Array(chunk.slice(0));
  const copy = slabs.take(chunk.byteLength);
  copy.set(new Uint8Array(chunk));
  return copy;
}

function tooMuchIncoming(): SluiceError {
  return new SluiceError('rate_limited', 'too many bytes of bodies are under way: send less at once', {
    retryAfterMs: busyRetryMs,
  });
}
