import type { Position, PublishFields, TopicPosition } from '../protocol/frames.ts';
import { type ClientError, localError } from './client-error.ts';
import type { Outcome, PendingCommands } from './pending-commands.ts';
import type { Runtime } from './runtime.ts';
import { Timer } from './timer.ts';

export interface Published extends Position {
  /** The messageId was seen before; epoch and offset are those of the first. */
  readonly duplicate: boolean;
}

/** The gateway remembers messageIds for 5 minutes; a minute is left for the way. */
const maxResendAgeMs = 240_000;

interface Entry {
  /** Its place in the order of the application's calls. */
  readonly number: number;
  readonly fields: PublishFields;
  readonly exceptSelf: boolean;
  readonly resolve: (published: Published) => void;
  readonly reject: (error: ClientError) => void;
  /** An acknowledgement was lost: when the first of these publishes was sent, on the monotonic clock. */
  lostAtMs?: number;
}

export interface OfflineQueueOptions {
  /** Publications that may wait; the next one is rejected, so that none that was taken is lost. */
  readonly maxEntries?: number;
}

export interface OfflineQueuePort {
  readonly commands: Pick<PendingCommands, 'send'>;
  /** Why the publication can't be sent, as far as that is known now. Undefined: it can. */
  problem(fields: PublishFields): ClientError | undefined;
  /** Names the session that sends now. */
  readonly greeting: { readonly session: string } | undefined;
  /** Hears where publications with `exceptSelf` are. */
  readonly own: { add(position: TopicPosition): void };
  /** The result of `isUnsettled` may have changed. */
  settled(): void;
}

/**
 * Publications on their way. While the connection is away they wait, in order, and go out one by one when it
 * is back; so does what the gateway refused to limit the rate, when the time that it named is over. One whose
 * acknowledgement was lost with the connection goes out again: its messageId keeps it from counting twice.
 * One that can't be sent is rejected alone.
 */
export class OfflineQueue {
  #online = false;
  /** One of the queue is on its way. */
  #sending = false;
  #waiting: Entry[] = [];
  /**
   * Sent on an earlier connection, with `exceptSelf`, and not acknowledged: where they are, or whether, isn't
   * known.
   */
  readonly #unsettled = new Set<Entry>();
  readonly #maxEntries: number;
  readonly #runtime: Runtime;
  readonly #timer: Timer;
  readonly #port: OfflineQueuePort;
  readonly #idPrefix: string;
  #lastNumber = 0;

  constructor({ maxEntries = 100 }: OfflineQueueOptions = {}, runtime: Runtime, port: OfflineQueuePort) {
    this.#maxEntries = maxEntries;
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
   * Whether the topic, or one of the pattern, may hold a publication of this client's own that it would not
   * recognise.
   */
  isUnsettled(matches: (topic: string) => boolean): boolean {
    for (const { fields } of this.#unsettled) if (matches(fields.topic)) return true;
    return false;
  }

  publish(fields: PublishFields, exceptSelf = false): Promise<Published> {
    return new Promise((resolve, reject) => {
      const number = ++this.#lastNumber;
      const { messageId = `${this.#idPrefix}-${number}` } = fields;
      const entry: Entry = { number, fields: { ...fields, messageId }, exceptSelf, resolve, reject };
      // A new publication waits for those that wait.
      if (this.#online && !this.#sending && !this.size) {
        this.#transmit(entry);
        return;
      }
      const problem =
        this.#port.problem(entry.fields) ??
        (this.size < this.#maxEntries ? undefined : localError('offline_queue_full'));
      if (problem) reject(problem);
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

  /** One at a time, so that what waited keeps its order even when the gateway limits the rate. */
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

  #transmit(entry: Entry, next = (): void => {}): void {
    const { fields, exceptSelf } = entry;
    // Limits and session may be others than they were at the call.
    const problem = this.#port.problem(fields) ?? this.#tooLate(entry);
    if (problem) {
      this.#settle(entry, { ok: false, error: problem });
      next();
      return;
    }
    const sentAtMs = this.#runtime.monotonicMs();
    const except = exceptSelf ? this.#port.greeting?.session : undefined;
    this.#port.commands.send('publish', { ...fields, except }, (outcome) => {
      const code = outcome.ok || outcome.error.code;
      if (!outcome.ok && code === 'disconnected') {
        entry.lostAtMs ??= sentAtMs;
        this.#keep(entry, outcome.error);
        return;
      }
      if (!outcome.ok && code === 'rate_limited') this.#putOff(entry, outcome.error);
      else this.#settle(entry, outcome);
      next();
    });
  }

  /**
   * It may be there already, and the gateway may have forgotten its messageId: sent again it could count
   * twice.
   */
  #tooLate({ lostAtMs }: Entry): ClientError | undefined {
    const nowMs = this.#runtime.monotonicMs();
    return nowMs - (lostAtMs ?? nowMs) > maxResendAgeMs ? localError('disconnected') : undefined;
  }

  #settle(entry: Entry, outcome: Outcome<'publish'>): void {
    if (!outcome.ok) entry.reject(outcome.error);
    else {
      const { epoch, offset } = outcome.reply;
      if (entry.exceptSelf) this.#port.own.add({ topic: entry.fields.topic, epoch, offset });
      entry.resolve(outcome.reply);
    }
    if (this.#unsettled.delete(entry)) this.#port.settled();
  }

  /** Back into the queue, while the gateway is sure to know the messageId. */
  #keep(entry: Entry, error: ClientError): void {
    if (this.#tooLate(entry)) {
      this.#settle(entry, { ok: false, error });
      return;
    }
    if (entry.exceptSelf) this.#unsettled.add(entry);
    this.#insert(entry);
  }

  /**
   * The gateway limits the rate: this one, and what the application publishes meanwhile, waits as long as it
   * says.
   */
  #putOff(entry: Entry, error: ClientError): void {
    if (this.size >= this.#maxEntries) {
      this.#settle(entry, { ok: false, error });
      return;
    }
    this.#insert(entry);
    this.#timer.set(error.retryAfterMs ?? 1_000, () => this.#drain());
  }

  #insert(entry: Entry): void {
    const at = this.#waiting.findIndex(({ number }) => number > entry.number);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, entry);
  }
}
