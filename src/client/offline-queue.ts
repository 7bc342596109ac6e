import type { Position, PublishFields, TopicPosition } from '../protocol/frames.ts';
import { type ClientError, localError } from './client-error.ts';
import { resendMaxAgeMs } from './limits.ts';
import type { Outcome, PendingCommands } from './pending-commands.ts';
import type { Runtime } from './runtime.ts';
import { Timer } from './timer.ts';

export interface Published extends Position {
  /** The messageId was seen before. Epoch and offset are those of the first publication. */
  readonly duplicate: boolean;
}

interface Entry {
  /** Ascends in the order of the application's calls. */
  readonly number: number;
  readonly fields: PublishFields;
  readonly exceptSelf: boolean;
  readonly resolve: (published: Published) => void;
  readonly reject: (error: ClientError) => void;
  /** When it was first sent without an acknowledgement, on the monotonic clock. */
  lostAtMs?: number;
}

export interface OfflineQueueOptions {
  /** How many publications may wait: 100 by default. The next one is rejected. */
  readonly maxEntries?: number | undefined;
}

export interface OfflineQueuePort {
  readonly commands: Pick<PendingCommands, 'send'>;
  /** Throws if the publication can't be sent, as far as is known now. */
  check(fields: PublishFields, exceptSelf: boolean): void;
  /** Names the session that a publication with `exceptSelf` excepts. */
  readonly greeting: { readonly session: string } | undefined;
  /** Is told the positions of publications with `exceptSelf`. */
  readonly own: { add(position: TopicPosition): void };
  /** Is told when the result of `isUnsettled` may have changed. */
  readonly subscriptions: { flush(): void };
}

/**
 * Sends publications. They wait in order while there is no connection, and after `rate_limited` for the time that the
 * gateway names, and are then sent one by one. One whose acknowledgement was lost with the connection is sent again:
 * its messageId keeps it from counting twice. One that can't be sent is rejected without effect on the others.
 */
export class OfflineQueue {
  #online = false;
  /** A publication from the queue has been sent and is not acknowledged. */
  #sending = false;
  #waiting: Entry[] = [];
  /**
   * Sent with `exceptSelf` on an earlier connection and not acknowledged: it is unknown at which offset they are, or
   * whether they were committed.
   */
  readonly #unsettled = new Set<Entry>();
  readonly #maxEntries: number;
  readonly #runtime: Runtime;
  readonly #timer: Timer;
  readonly #port: OfflineQueuePort;
  readonly #idPrefix: string;
  #lastNumber = 0;

  constructor(options: OfflineQueueOptions | undefined, runtime: Runtime, port: OfflineQueuePort) {
    this.#maxEntries = options?.maxEntries ?? 100;
    this.#runtime = runtime;
    this.#timer = new Timer(runtime);
    this.#port = port;
    const draw = (): string => runtime.random().toString(36).slice(2);
    this.#idPrefix = `${draw()}${draw()}`;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /**
   * Whether a topic that matches may hold a publication of this client with `exceptSelf` whose offset is not known yet.
   */
  isUnsettled(matches: (topic: string) => boolean): boolean {
    for (const { fields } of this.#unsettled) if (matches(fields.topic)) return true;
    return false;
  }

  /** Rejects what `check` refuses. */
  publish(fields: PublishFields, exceptSelf = false): Promise<Published> {
    return new Promise((resolve, reject) => {
      const number = ++this.#lastNumber;
      const { messageId = `${this.#idPrefix}-${number}` } = fields;
      const entry: Entry = { number, fields: { ...fields, messageId }, exceptSelf, resolve, reject };
      // A new publication must not overtake those that wait.
      if (this.#online && !this.#sending && !this.size) {
        this.#transmit(entry);
        return;
      }
      this.#port.check(entry.fields, exceptSelf);
      if (this.size >= this.#maxEntries) throw localError('offline_queue_full');
      this.#waiting.push(entry);
    });
  }

  connected(): void {
    this.#online = true;
    this.#drain();
  }

  /** Call it after the commands that were sent have failed with `disconnected`. */
  disconnected(): void {
    this.#online = false;
    this.#sending = false;
    this.#timer.stop();
  }

  /** The client closes: rejects all that wait. */
  rejectAll(error: ClientError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#unsettled.clear();
    for (const { reject } of waiting) reject(error);
  }

  /** Sends one at a time, so that the order is kept even if the gateway limits the rate. */
  #drain(): void {
    if (!this.#online || this.#sending || this.#timer.isSet) return;
    const entry = this.#waiting.shift();
    if (!entry) return;
    this.#sending = true;
    this.#transmit(entry, () => {
      this.#sending = false;
      this.#drain();
    });
  }

  #transmit(entry: Entry, next?: () => void): void {
    const { fields, exceptSelf } = entry;
    const error = this.#tooLate(entry);
    if (error) {
      this.#settle(entry, undefined, error);
      next?.();
      return;
    }
    const sentAtMs = this.#runtime.monotonicMs();
    const except = exceptSelf ? this.#port.greeting?.session : undefined;
    this.#port.commands.send('publish', { ...fields, except }, (...outcome) => {
      const [, error] = outcome;
      const isLost = error?.code === 'disconnected';
      if (isLost) entry.lostAtMs ??= sentAtMs;
      const mayRepeat = isLost
        ? !this.#tooLate(entry)
        : error?.code === 'rate_limited' && this.size < this.#maxEntries;
      if (!mayRepeat) this.#settle(entry, ...outcome);
      else {
        this.#insert(entry);
        if (!isLost) this.#timer.set(error?.retryAfterMs ?? 1_000, () => this.#drain());
        else if (exceptSelf) this.#unsettled.add(entry);
      }
      if (!isLost) next?.();
    });
  }

  /** It may be committed, and the gateway may have forgotten its messageId: sent again it could count twice. */
  #tooLate({ lostAtMs }: Entry): ClientError | undefined {
    const nowMs = this.#runtime.monotonicMs();
    return nowMs - (lostAtMs ?? nowMs) > resendMaxAgeMs ? localError('disconnected') : undefined;
  }

  #settle(entry: Entry, ...[reply, error]: Outcome<'publish'>): void {
    if (error) entry.reject(error);
    else {
      const { epoch, offset } = reply;
      if (entry.exceptSelf) this.#port.own.add({ topic: entry.fields.topic, epoch, offset });
      entry.resolve(reply);
    }
    if (this.#unsettled.delete(entry)) this.#port.subscriptions.flush();
  }

  /** Puts it back into the queue, in the order of the calls. */
  #insert(entry: Entry): void {
    this.#waiting.push(entry);
    this.#waiting.sort((a, b) => a.number - b.number);
  }
}
