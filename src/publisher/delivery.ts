import { type Result, resultsOf } from './answers.ts';
import { type Answer, type GatewayConnection, NoAnswer } from './connection.ts';
import type { Settings } from './options.ts';
import { localError, PublishError } from './publish-error.ts';
import type { Entry, Queue } from './queue.ts';

/** What takes many entries in one request, and where. */
export const batchable = '/api/publish';
const batchPath = '/api/publish/batch';

const firstWaitMs = 100;
const maxWaitMs = 5000;

const open = Buffer.from('[');
const comma = Buffer.from(',');
const close = Buffer.from(']');

/** An order that waits. */
interface Held {
  readonly untilMs: number;
  /** Refusals in a row. */
  readonly failures: number;
  readonly error: PublishError;
}

/**
 * Sends the entries of a queue, one request at a time, so that the ones that come meanwhile go together in the next.
 * What failed for now stays in the queue and is sent again, so that nothing of its order overtakes it. A request that
 * failed holds up all orders; an entry that the gateway refused for now holds up its own.
 */
export class Delivery {
  readonly #queue: Queue;
  readonly #connection: GatewayConnection;
  readonly #settings: Settings;
  readonly #nowMs: () => number;
  /** Undefined: nothing waits. */
  #running: Promise<void> | undefined;
  /** Requests in a row after which everything has to be sent again. */
  #failures = 0;
  readonly #held = new Map<string, Held>();
  /** Ends a wait for orders that are held: another one has come. */
  #wake: () => void = () => undefined;
  /** The gateway may take less than the options say. */
  #batchMaxBytes: number;
  /** Why the last request failed; undefined: it did not. */
  #lastError: PublishError | undefined;

  constructor(queue: Queue, connection: GatewayConnection, settings: Settings, nowMs: () => number) {
    this.#queue = queue;
    this.#connection = connection;
    this.#settings = settings;
    this.#nowMs = nowMs;
    this.#batchMaxBytes = settings.batchMaxBytes;
  }

  /** Begins unless it is under way. What is called for in the same turn goes together. */
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
      const entries = this.#next();
      const waitMs = entries.length > 0 ? await this.#send(entries) : 0;
      this.#queue.prune();
      if (waitMs > 0) await this.#wait(waitMs);
      else if (entries.length === 0 && this.#queue.size > 0) await this.#waitForHeld();
    }
    this.#held.clear();
    this.#running = undefined;
  }

  /** What is next, without the orders that are held. */
  #next(): readonly Entry[] {
    const nowMs = this.#nowMs();
    const isHeld = (order: string) => (this.#held.get(order)?.untilMs ?? 0) > nowMs;
    if (this.#held.size > 0) this.#rejectHeld();
    return this.#queue.next(batchable, this.#settings.batchMaxPublications, this.#batchMaxBytes, isHeld);
  }

  /** What expires before its order is no longer held is rejected at once: there is no other try. */
  #rejectHeld(): void {
    const waiting = new Set(this.#queue.entries.map(({ order }) => order));
    for (const order of this.#held.keys()) if (!waiting.has(order)) this.#held.delete(order);
    for (const entry of this.#queue.entries) {
      const held = this.#held.get(entry.order);
      if (held === undefined || entry.expiresAtMs > held.untilMs) continue;
      reject(entry, entry.isUnsure ? this.#timedOut(true) : held.error);
    }
    this.#queue.prune();
  }

  /** Until the first of them may be sent again, or another one comes. */
  #waitForHeld(): Promise<void> {
    const untilMs = Math.min(...[...this.#held.values()].map((held) => held.untilMs));
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, untilMs - this.#nowMs()));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Sends them. Returns how long to wait before the request after it. */
  async #send(entries: readonly Entry[]): Promise<number> {
    const results = await this.#request(entries);
    if (!(results instanceof PublishError)) {
      this.#failures = 0;
      this.#lastError = undefined;
      this.#settle(entries, results);
      return 0;
    }
    if (results.code === 'frame_too_large' && entries.length > 1) {
      this.#batchMaxBytes = Math.max(1, Math.floor(bodyBytes(entries) / 2));
      return 0;
    }
    if (!results.retry) {
      for (const entry of entries) reject(entry, results);
      return 0;
    }
    this.#lastError = results;
    return this.#waitAfter(results);
  }

  /** Gives each entry its result, and holds the orders of those that are to be sent again. */
  #settle(entries: readonly Entry[], results: readonly Result[]): void {
    // What is sent again comes after what was taken: of one topic that would change the order.
    const taken = new Set<string>();
    const again = new Map<string, PublishError>();
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i] as Entry;
      const result = results[i] as Result;
      if (!(result instanceof PublishError)) {
        taken.add(entry.order);
        resolve(entry, result);
      } else if (result.retry && !taken.has(entry.order)) again.set(entry.order, result);
      else reject(entry, result);
    }
    for (const order of taken) if (!again.has(order)) this.#held.delete(order);
    this.#hold(again);
  }

  /** All for the same time, unless the gateway says otherwise, so that they go together again. */
  #hold(orders: ReadonlyMap<string, PublishError>): void {
    const failures =
      Math.max(0, ...[...orders.keys()].map((order) => this.#held.get(order)?.failures ?? 0)) + 1;
    const waitMs = backoffMs(failures);
    const nowMs = this.#nowMs();
    for (const [order, error] of orders)
      this.#held.set(order, { untilMs: nowMs + (error.retryAfterMs ?? waitMs), failures, error });
  }

  #waitAfter({ retryAfterMs, cause }: PublishError): number {
    // The gateway has closed an idle connection just when it was used again: a new one will do.
    if (this.#failures++ === 0 && cause instanceof NoAnswer && cause.isReused) return 0;
    return retryAfterMs ?? backoffMs(this.#failures);
  }

  /**
   * The result of each entry, or one error for all of them. Entries that expire meanwhile are rejected at once, and
   * with the last of them the request is given up.
   */
  async #request(entries: readonly Entry[]): Promise<readonly Result[] | PublishError> {
    const given = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const look = () => {
      const nowMs = this.#nowMs();
      for (const entry of this.#queue.expiring(nowMs)) reject(entry, this.#timedOut(true));
      const next = entries.find(({ isSettled }) => !isSettled);
      if (next === undefined) given.abort();
      else timer = setTimeout(look, Math.max(1, next.expiresAtMs - nowMs));
    };
    look();
    try {
      return resultsOf(await this.#exchange(entries, given.signal), entries.length, entries.length > 1);
    } catch (error) {
      if (error instanceof PublishError) return error;
      for (const entry of entries) entry.isUnsure = true;
      return localError('unreachable', (error as Error).message, error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #exchange(entries: readonly Entry[], signal: AbortSignal): Promise<Answer> {
    const [first] = entries as [Entry];
    const isBatch = entries.length > 1;
    const headers = await Promise.race([this.#headers(), aborted(signal)]);
    return this.#connection.request(
      first.method,
      isBatch ? batchPath : first.path,
      headers,
      isBatch ? bodyOf(entries) : first.body,
      this.#settings.requestTimeoutMs,
      signal,
    );
  }

  async #headers(): Promise<Record<string, string>> {
    const { credential } = this.#settings;
    const headers = { 'content-type': 'application/json' };
    try {
      const value = typeof credential === 'function' ? await credential() : credential;
      return value ? { ...headers, authorization: `Bearer ${value}` } : headers;
    } catch (cause) {
      throw localError('credential_failed', undefined, cause);
    }
  }

  /** What expires before the wait is over is rejected at once: there is no other try. */
  async #wait(ms: number): Promise<void> {
    const error = this.#lastError as PublishError;
    for (const entry of this.#queue.expiring(this.#nowMs() + ms)) {
      // A refusal says that it was not published.
      const isRefused = !entry.isUnsure && error.code !== 'unreachable';
      reject(entry, isRefused ? error : this.#timedOut(entry.isUnsure));
    }
    this.#queue.prune();
    if (this.#queue.size > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  }

  #timedOut(isUnsure: boolean): PublishError {
    const { totalTimeoutMs } = this.#settings;
    const known = isUnsure ? 'whether it was published is unknown' : 'it was not published';
    return localError('timed_out', `not acknowledged within ${totalTimeoutMs} ms: ${known}`, this.#lastError);
  }
}

function backoffMs(failures: number): number {
  const mostMs = Math.min(maxWaitMs, firstWaitMs * 2 ** Math.min(failures - 1, 16));
  return mostMs * (0.5 + Math.random() / 2);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(localError('timed_out')), { once: true });
  });
}

function resolve(entry: Entry, answer: Readonly<Record<string, unknown>>): void {
  if (entry.isSettled) return;
  entry.isSettled = true;
  const { duplicate: _, ...rest } = answer;
  entry.resolve(entry.hidesDuplicate ? rest : answer);
}

function reject(entry: Entry, error: PublishError): void {
  if (entry.isSettled) return;
  entry.isSettled = true;
  entry.reject(error);
}

function bodyBytes(entries: readonly Entry[]): number {
  return entries.reduce((sum, { body }) => sum + body.length + 1, 1);
}

function bodyOf(entries: readonly Entry[]): Uint8Array {
  const pieces = entries.flatMap(({ body }, at) => (at === 0 ? [open, body] : [comma, body]));
  return Buffer.concat([...pieces, close]);
}
