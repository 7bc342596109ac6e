import type { Position, PublishFields } from '../protocol/frames.ts';
import { type ClientError, localError } from './client-error.ts';
import type { Outcome } from './commands.ts';
import type { Runtime, TimerHandle } from './runtime.ts';

export interface Published extends Position {
  /** The messageId was seen before; epoch and offset are those of the first. */
  readonly duplicate: boolean;
}

/** The gateway remembers messageIds for 5 minutes; a minute is left for the way. */
const maxResendAgeMs = 240_000;

interface Entry {
  readonly fields: PublishFields;
  readonly resolve: (published: Published) => void;
  readonly reject: (error: ClientError) => void;
  sentAtMs: number | undefined;
}

export interface OfflineQueueOptions {
  /** Publications that may wait; the next one is rejected, so that none that was taken is lost. */
  readonly maxEntries?: number;
}

/**
 * Publications on their way. While the connection is away they wait, in order, and go out one by one when it is back.
 * One whose acknowledgement was lost with the connection goes out again: its messageId keeps it from counting twice.
 */
export class OfflineQueue {
  #online = false;
  #draining = false;
  #waiting: Entry[] = [];
  #timer: TimerHandle | undefined;
  readonly #maxEntries: number;
  readonly #runtime: Runtime;
  readonly #send: (fields: PublishFields, settle: (outcome: Outcome<'publish'>) => void) => void;
  readonly #idPrefix: string;
  #lastId = 0;

  constructor(
    options: OfflineQueueOptions,
    runtime: Runtime,
    send: (fields: PublishFields, settle: (outcome: Outcome<'publish'>) => void) => void,
  ) {
    this.#maxEntries = options.maxEntries ?? 100;
    this.#runtime = runtime;
    this.#send = send;
    const draw = (): string => Math.floor(runtime.random() * 2 ** 48).toString(36);
    this.#idPrefix = `${draw()}${draw()}`;
  }

  get size(): number {
    return this.#waiting.length;
  }

  publish(fields: PublishFields): Promise<Published> {
    return new Promise((resolve, reject) => {
      const messageId = fields.messageId ?? `${this.#idPrefix}-${++this.#lastId}`;
      const entry: Entry = { fields: { ...fields, messageId }, resolve, reject, sentAtMs: undefined };
      if (this.#online && !this.#draining) this.#transmit(entry);
      else if (this.#waiting.length >= this.#maxEntries) reject(localError('offline_queue_full'));
      else this.#waiting.push(entry);
    });
  }

  connected(): void {
    this.#online = true;
    this.#drain();
  }

  /** Call after the commands in flight were told of the loss. */
  disconnected(): void {
    this.#online = false;
    this.#draining = false;
    if (this.#timer !== undefined) this.#runtime.clearTimeout(this.#timer);
  }

  /** The client closes: nothing that waits will ever go out. */
  rejectAll(error: ClientError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
  }

  /** One at a time, so that what waited keeps its order even when the gateway limits the rate. */
  #drain(): void {
    const entry = this.#online ? this.#waiting.shift() : undefined;
    this.#draining = entry !== undefined;
    if (entry) this.#transmit(entry, () => this.#drain());
  }

  #transmit(entry: Entry, next?: () => void): void {
    entry.sentAtMs ??= this.#runtime.now();
    this.#send(entry.fields, (outcome) => {
      if (!outcome.ok && outcome.error.code === 'disconnected') return this.#keep(entry, outcome.error);
      if (next && !outcome.ok && outcome.error.code === 'rate_limited') {
        this.#waiting.unshift(entry);
        this.#timer = this.#runtime.setTimeout(next, outcome.error.retryAfterMs ?? 1_000);
        return;
      }
      if (outcome.ok) entry.resolve(outcome.reply);
      else entry.reject(outcome.error);
      next?.();
    });
  }

  /** Back into the queue, before everything that came later; unless the gateway may have forgotten the messageId. */
  #keep(entry: Entry, error: ClientError): void {
    const ageMs = this.#runtime.now() - (entry.sentAtMs ?? 0);
    if (ageMs > maxResendAgeMs) {
      entry.reject(error);
      return;
    }
    const at = this.#waiting.findIndex(({ sentAtMs }) => sentAtMs === undefined);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, entry);
  }
}
