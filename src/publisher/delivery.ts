import { type GatewayConnection, type GatewayResponse, NoResponse } from './connection.ts';
import { isCredential, type Settings } from './options.ts';
import { backoffMs, Orders } from './orders.ts';
import { localError, PublishError } from './publish-error.ts';
import type { Queue, QueuedPublication } from './queue.ts';
import { type Result, resultsOf } from './results.ts';

/** The path whose requests may hold many entries. */
export const batchable = '/api/publish';
const batchPath = '/api/publish/batch';

/** A request in flight for longer than this is slow: others are sent beside it. */
const slowMs = 250;
/** The most requests in flight. */
const requestsMax = 4;
const longestMs = 60_000;

const open = Buffer.from('[');
const comma = Buffer.from(',');
const close = Buffer.from(']');

/** Errors that concern all publications, not only those of the request. */
const ofAll: ReadonlySet<string> = new Set([
  'rate_limited',
  'shutting_down',
  'unreachable',
  'unexpected_response',
  'credential_failed',
]);

/** A request in flight. */
interface SentRequest {
  readonly entries: readonly QueuedPublication[];
  readonly slowAtMs: number;
  /** False while it waits for its credential. */
  isOut: boolean;
}

/**
 * Sends the entries of a queue, usually one request at a time, so that entries that come meanwhile share the next one.
 * Beside a slow request others are sent, with entries of other orders. An entry that failed temporarily stays in the
 * queue and is sent again, and nothing of its order overtakes it. All orders wait while the gateway can't be reached or
 * wants fewer requests; one order waits after the refusal of an entry, or after a request that timed out.
 */
export class Delivery {
  readonly #queue: Queue;
  readonly #connection: GatewayConnection;
  readonly #settings: Settings;
  readonly #nowMs: () => number;
  readonly #orders: Orders;
  readonly #sent = new Set<SentRequest>();
  /** Undefined while nothing waits. */
  #running: Promise<void> | undefined;
  /** Failed requests in a row. */
  #failures = 0;
  /** Nothing is sent before this time. */
  #waitsUntilMs = 0;
  /** Why nothing is sent, until something is. */
  #waitsAfter: PublishError | undefined;
  /** Ends a wait. */
  #wake: () => void = () => undefined;
  /** At first that of the options; halved when the gateway finds a request too large. */
  #batchMaxBytes: number;
  /** Why the last request failed; undefined: it did not. */
  #lastError: PublishError | undefined;

  constructor(queue: Queue, connection: GatewayConnection, settings: Settings, nowMs: () => number) {
    this.#queue = queue;
    this.#connection = connection;
    this.#settings = settings;
    this.#nowMs = nowMs;
    this.#orders = new Orders(nowMs);
    this.#batchMaxBytes = settings.batchMaxBytes;
  }

  /** Starts sending, unless it runs already. Entries added in the same turn of the event loop share a request. */
  start(): void {
    this.#running ??= Promise.resolve().then(() => this.#run());
    this.#wake();
  }

  /** Resolves when nothing waits any more. */
  async finished(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#queue.size > 0) {
      // Read once: a wait that ends between two looks at the clock would be over for the second one only.
      const nowMs = this.#nowMs();
      this.#rejectLate(nowMs);
      const entries = this.#mayBegin(nowMs) ? this.#next(nowMs) : [];
      if (entries.length > 0) this.#begin(entries, nowMs);
      else if (this.#queue.size > 0) await this.#news(nowMs);
    }
    this.#orders.keep(new Set());
    this.#running = undefined;
  }

  #mayBegin(nowMs: number): boolean {
    if (nowMs < this.#waitsUntilMs || this.#sent.size >= requestsMax) return false;
    return [...this.#sent].every(({ slowAtMs }) => slowAtMs <= nowMs);
  }

  #next(nowMs: number): readonly QueuedPublication[] {
    return this.#queue.next(
      batchable,
      this.#settings.batchMaxPublications,
      this.#batchMaxBytes,
      this.#orders.at(nowMs),
    );
  }

  #begin(entries: readonly QueuedPublication[], nowMs: number): void {
    const sent = { entries, slowAtMs: nowMs + slowMs, isOut: false };
    this.#sent.add(sent);
    this.#orders.sent(entries);
    void this.#send(sent).then(() => {
      this.#sent.delete(sent);
      this.#orders.ended(entries);
      this.#queue.prune();
      this.#wake();
    });
  }

  /**
   * Resolves when a request has ended or become slow, when an entry may be sent or expires, or when another one comes.
   */
  #news(nowMs: number): Promise<void> {
    const later = [
      this.#waitsUntilMs,
      this.#orders.nextMs,
      this.#queue.first?.expiresAtMs ?? nowMs,
      ...[...this.#sent].map(({ slowAtMs }) => slowAtMs),
      nowMs + longestMs,
    ].filter((atMs) => atMs > nowMs);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, Math.min(...later) - nowMs));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Rejects entries that expire before they may be sent again. */
  #rejectLate(nowMs: number): void {
    const { first } = this.#queue;
    const isLate = first !== undefined && first.expiresAtMs <= nowMs;
    if (!isLate && nowMs >= this.#waitsUntilMs && this.#orders.areFree) return;
    const sent = new Map([...this.#sent].flatMap((each) => each.entries.map((entry) => [entry, each])));
    this.#orders.keep(new Set(this.#queue.entries.map(({ order }) => order)));
    for (const entry of this.#queue.entries) {
      const held = this.#orders.holdOf(entry.order);
      const untilMs = Math.max(nowMs, this.#waitsUntilMs, held?.untilMs ?? 0);
      if (entry.expiresAtMs > untilMs || (sent.has(entry) && entry.expiresAtMs > nowMs)) continue;
      this.#rejectExpired(entry, sent.get(entry)?.isOut === true);
    }
    this.#queue.prune();
  }

  /** `isOut`: it is in a request that was sent. */
  #rejectExpired(entry: QueuedPublication, isOut: boolean): void {
    // After a refusal it is certain that it was not published.
    const error = this.#orders.holdOf(entry.order)?.error ?? this.#waitsAfter;
    const isRefused = error !== undefined && error.code !== 'unreachable';
    const isUnsure = entry.isUnsure || isOut;
    reject(entry, isRefused && !isUnsure ? error : this.#timedOut(isUnsure));
  }

  /** Sends these entries, and keeps those that are to be sent again. */
  async #send(sent: SentRequest): Promise<void> {
    const { entries } = sent;
    const results = await this.#request(sent);
    if (!(results instanceof PublishError)) {
      this.#failures = 0;
      this.#lastError = undefined;
      this.#orders.settled(entries);
      this.#settle(entries, results);
    } else if (results.code === 'frame_too_large' && entries.length > 1) {
      this.#batchMaxBytes = Math.max(1, Math.floor(bodyBytes(entries) / 2));
    } else if (!results.retry) {
      this.#orders.settled(entries);
      for (const entry of entries) reject(entry, results);
    } else if (!entries.every(({ isSettled }) => isSettled)) {
      this.#lastError = results;
      const { cause, code } = results;
      const isLate = cause instanceof NoResponse && cause.isLate;
      if (isLate) this.#orders.isolate(entries);
      if (isLate || (entries.length === 1 && !ofAll.has(code)))
        this.#orders.hold(new Map(entries.map(({ order }) => [order, results])));
      else {
        this.#waitsAfter = results;
        this.#waitsUntilMs = this.#nowMs() + this.#waitAfter(results);
      }
    }
  }

  /** Gives each entry its result, and holds the orders of those that are to be sent again. */
  #settle(entries: readonly QueuedPublication[], results: readonly Result[]): void {
    // An entry that is sent again comes after the accepted ones, which within one topic would change the order.
    const taken = new Set<string>();
    const again = new Map<string, PublishError>();
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i] as QueuedPublication;
      const result = results[i] as Result;
      if (!(result instanceof PublishError)) {
        taken.add(entry.order);
        resolve(entry, result);
      } else if (result.retry && !taken.has(entry.order)) again.set(entry.order, result);
      else reject(entry, result);
    }
    for (const order of taken) if (!again.has(order)) this.#orders.release(order);
    this.#orders.hold(again);
  }

  #waitAfter({ retryAfterMs, cause }: PublishError): number {
    // The gateway closed the idle connection at that moment: try a new one at once.
    if (this.#failures++ === 0 && cause instanceof NoResponse && cause.isReused) return 0;
    return retryAfterMs ?? backoffMs(this.#failures);
  }

  /**
   * The result of each entry, or one error for all of them. Entries that expire meanwhile are rejected at once; with
   * the last of them the request is aborted.
   */
  async #request(sent: SentRequest): Promise<readonly Result[] | PublishError> {
    const { entries } = sent;
    const given = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const look = () => {
      const nowMs = this.#nowMs();
      for (const entry of entries) if (entry.expiresAtMs <= nowMs) this.#rejectExpired(entry, sent.isOut);
      const next = entries.find(({ isSettled }) => !isSettled);
      if (next === undefined) given.abort();
      else timer = setTimeout(look, Math.max(1, next.expiresAtMs - nowMs));
    };
    look();
    try {
      return resultsOf(await this.#exchange(sent, given.signal), entries.length, entries.length > 1);
    } catch (error) {
      if (error instanceof PublishError) return error;
      if (!(error instanceof NoResponse) || error.isSent) for (const entry of entries) entry.isUnsure = true;
      return localError('unreachable', (error as Error).message, error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #exchange(sent: SentRequest, signal: AbortSignal): Promise<GatewayResponse> {
    const { entries } = sent;
    const [first] = entries as [QueuedPublication];
    const isBatch = entries.length > 1;
    const headers = await Promise.race([this.#headers(), aborted(signal)]);
    sent.isOut = true;
    this.#waitsAfter = undefined;
    return this.#connection.request({
      method: first.method,
      path: isBatch ? batchPath : first.path,
      headers,
      body: isBatch ? bodyOf(entries) : first.body,
      timeoutMs: this.#settings.requestTimeoutMs,
      signal,
    });
  }

  async #headers(): Promise<Record<string, string>> {
    const { credential } = this.#settings;
    const headers = { 'content-type': 'application/json' };
    try {
      const value: unknown = (typeof credential === 'function' ? await credential() : credential) ?? '';
      if (!isCredential(value)) throw new TypeError('It returned no text in visible ASCII.');
      return value === '' ? headers : { ...headers, authorization: `Bearer ${value}` };
    } catch (cause) {
      throw localError('credential_failed', undefined, cause);
    }
  }

  #timedOut(isUnsure: boolean): PublishError {
    const { totalTimeoutMs } = this.#settings;
    const known = isUnsure ? 'whether it was published is unknown' : 'it was not published';
    const why = this.#lastError === undefined ? '' : ` (${this.#lastError.message})`;
    const message = `not acknowledged within ${totalTimeoutMs} ms: ${known}${why}`;
    return localError('timed_out', message, this.#lastError);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(localError('timed_out')), { once: true });
  });
}

function resolve(entry: QueuedPublication, result: Readonly<Record<string, unknown>>): void {
  if (entry.isSettled) return;
  entry.isSettled = true;
  const { duplicate: _, ...rest } = result;
  entry.resolve(entry.hidesDuplicate ? rest : result);
}

function reject(entry: QueuedPublication, error: PublishError): void {
  if (entry.isSettled) return;
  entry.isSettled = true;
  entry.reject(error);
}

function bodyBytes(entries: readonly QueuedPublication[]): number {
  return entries.reduce((sum, { body }) => sum + body.length + 1, 1);
}

function bodyOf(entries: readonly QueuedPublication[]): Uint8Array {
  const pieces = entries.flatMap(({ body }, at) => (at === 0 ? [open, body] : [comma, body]));
  return Buffer.concat([...pieces, close]);
}
