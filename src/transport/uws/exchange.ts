import type { HttpResponse } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import { type ApiResponse, errorResponse } from '../../api/http.ts';
import { SluiceError } from '../../errors.ts';
import { type Departing, Departure } from '../../sessions/departure.ts';
import type { ByteCharges } from '../../sessions/limits/charges.ts';
import type { RequestIds } from '../request-ids.ts';
import { headerBlock } from './header-block.ts';
import type { RequestTurn } from './request-turn.ts';

/** What all exchanges share. */
export interface ExchangeOptions {
  /** Responses that their clients have not read yet. */
  readonly unread: ByteCharges;
  readonly monotonicMs: () => number;
  /** A response that is read too slowly is given up after this long. */
  readonly writeTimeoutMs: number;
  readonly requestIds: RequestIds;
  readonly turn: RequestTurn;
  readonly connections: { readonly areEnding: boolean };
}

/** A client must read at least this much per second; the library demands the same of what clients send. */
const leastBytesPerSecond = 16 * 1024;
/** Up to this size a response usually fits into the socket: it is charged only when it does not. */
const smallBytes = 16 * 1024;
const unreadRetryMs = 1000;
/**
 * In seconds. The library closes a connection that was idle for 8 to 12 s; a client that knows it opens a new one in
 * time.
 */
const keepAlive = 'timeout=7';
const requestIdName = 'x-request-id';
const nothing = (): void => undefined;

/**
 * One request and its response.
 *
 * Everything is written by `tryEnd`, which leaves the rest to its caller when the socket is full. Until that rest is
 * written the exchange is unfinished, and the library ends the connection if the client sends its next request
 * meanwhile: a connection never holds more than one response, however many requests were sent ahead. `end` would queue
 * them all (test/transport/uws/facts.test.ts).
 */
export class Exchange implements Departing {
  readonly #response: HttpResponse;
  readonly #options: ExchangeOptions;
  readonly requestId: string;
  #account = '';
  #held = 0;
  /** Nothing may be written any more: it was answered, or the client is gone. */
  #over = false;
  /** The client has left. */
  #isGone = false;
  #aborted: (() => void) | undefined;
  /**
   * The library waits for the return of a handler of this request. It has corked the socket, and a cork of ours would
   * only take time (`CallJS` of its bindings).
   */
  isInHandler = false;
  /** Absent until something waits for the application. */
  #departure: Departure | undefined;

  constructor(response: HttpResponse, options: ExchangeOptions, requestId: string) {
    this.#response = response;
    this.#options = options;
    this.requestId = requestId;
    response.onAborted(() => {
      this.#over = true;
      this.#isGone = true;
      this.#release();
      this.#aborted?.();
      this.#departure?.over();
    });
  }

  /** The request is answered, or the client is gone: the library's response must not be touched any more. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Calls `run` if the client leaves before the end of its response. Only the last `run` is called. */
  onAborted(run: () => void): void {
    this.#aborted = run;
  }

  onGone(run: () => void): () => void {
    this.#departure ??= new Departure();
    if (this.#isGone) this.#departure.over();
    return this.#departure.onGone(run);
  }

  /** The connection becomes a WebSocket or a stream: there is no response. */
  upgraded(): void {
    this.#over = true;
  }

  /** Ends the connection without a response. */
  close(): void {
    if (!this.#over) this.#response.close();
  }

  /**
   * `account`: is charged for what the client has not read yet. `responded`: is called once the response is written, or
   * can't be any more.
   */
  respond(response: ApiResponse, account: string, responded = nothing): void {
    const { turn } = this.#options;
    turn.count();
    if (this.#over) {
      responded();
      return;
    }
    this.#over = true;
    this.#account = account;
    if (turn.isLong) turn.later(() => this.#respondNow(response, responded));
    else this.#respondNow(response, responded);
  }

  #respondNow(response: ApiResponse, responded: () => void): void {
    if (!this.#isGone) this.#writeCharged(response);
    responded();
  }

  #writeCharged(response: ApiResponse): void {
    const length = Buffer.byteLength(response.body);
    if (response.omitBody === true || length <= smallBytes || this.#hold(length)) {
      this.#write(response, length);
    } else {
      const refusal = tooMuchUnread();
      this.#write(refusal, Buffer.byteLength(refusal.body));
    }
  }

  /** `length`: of the body, in bytes. */
  #write(response: ApiResponse, length: number): void {
    if (this.isInHandler) this.#writeCorked(response, length);
    else this.#response.cork(() => this.#writeCorked(response, length));
  }

  #writeCorked({ status, headers, body, omitBody }: ApiResponse, length: number): void {
    const response = this.#response;
    // 200 is the library's own. Each call into it takes a quarter of a microsecond.
    if (status !== 200) response.writeStatus(statusLine(status));
    this.#writeHeaders(headers);
    const isEmpty = status === 204 || omitBody === true;
    if (this.#options.connections.areEnding && (isEmpty || length <= smallBytes))
      this.#endWithConnection(isEmpty ? '' : body);
    else if (status === 204) response.endWithoutBody();
    else if (omitBody === true) this.#endWithLength(length);
    else this.#end(body, length);
  }

  #writeHeaders(headers: ApiResponse['headers']): void {
    const response = this.#response;
    if (Object.isFrozen(headers)) {
      response.writeHeader(
        headerBlock(headers, `keep-alive: ${keepAlive}\r\n`, requestIdName),
        this.requestId,
      );
      return;
    }
    response.writeHeader('keep-alive', keepAlive);
    response.writeHeader(requestIdName, this.requestId);
    for (const name in headers) response.writeHeader(name, headers[name] as string);
  }

  /**
   * A body that is left out is announced with length 0, because the library closes only after it has written the whole
   * response.
   */
  #endWithConnection(body: string | Uint8Array): void {
    this.#response.end(body, true);
    this.#release();
  }

  #hold(bytes: number): boolean {
    if (!this.#options.unread.take(this.#account, bytes)) return false;
    this.#held = bytes;
    return true;
  }

  /** The response to HEAD, and 304: the length of the body, and no body. */
  #endWithLength(length: number): void {
    const response = this.#response;
    const [ok, done] = response.tryEnd('', length);
    if (done) return;
    if (ok) response.endWithoutBody();
    else
      response.onWritable(() => {
        response.endWithoutBody();
        return true;
      });
  }

  #end(body: string | Uint8Array, length: number): void {
    const response = this.#response;
    const [, done] = response.tryEnd(body, length);
    if (done) this.#release();
    else if (this.#held > 0 || this.#hold(length)) this.#endLater(body, length);
    else response.close();
  }

  /** Writes the rest as the client reads. */
  #endLater(body: string | Uint8Array, length: number): void {
    const { monotonicMs, writeTimeoutMs } = this.#options;
    const response = this.#response;
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const startMs = monotonicMs();
    response.onWritable((offset) => {
      const tookMs = monotonicMs() - startMs;
      if (tookMs > writeTimeoutMs && offset < (tookMs / 1000) * leastBytesPerSecond) {
        response.close();
        return true;
      }
      const [ok, done] = response.tryEnd(bytes.subarray(offset), length);
      if (done) this.#release();
      return ok;
    });
  }

  #release(): void {
    if (this.#held > 0) this.#options.unread.give(this.#account, this.#held);
    this.#held = 0;
  }
}

function tooMuchUnread(): ApiResponse {
  return errorResponse(
    new SluiceError('rate_limited', 'too many responses wait to be read: read those first', {
      retryAfterMs: unreadRetryMs,
    }),
  );
}

const statusLines = new Map<number, string>();

function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    line = `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;
    statusLines.set(status, line);
  }
  return line;
}
