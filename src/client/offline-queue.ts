import type { Position, PublishFields } from '../protocol/frames.ts';
import { type ClientError, localError } from './client-error.ts';
import type { Outcome } from './pending-commands.ts';
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
  /** When it was sent first, on the monotonic clock. */
  sentAtMs: number | undefined;
  /** An acknowledgement was lost. */
  mayBeThere: boolean;
}

export interface OfflineQueueOptions {
  /** Publications that may wait; the next one is rejected, so that none that was taken is lost. */
  readonly maxEntries?: number;
}

export interface OfflineQueuePort {
  send(fields: PublishFields, settle: (outcome: Outcome<'publish'>) => void): void;
  /** Why the publication can't be sent, as far as that is known now. Undefined: it can. */
  problem(fields: PublishFields): ClientError | undefined;
  /** The id of the session that sends now. */
  session(): string | undefined;
  /** A publication with `exceptSelf` has its place. */
  placed(topic: string, position: Position): void;
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
  /** The queue is being sent: a new publication has to wait its turn. */
  #draining = false;
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

  constructor(options: OfflineQueueOptions, runtime: Runtime, port: OfflineQueuePort) {
    this.#maxEntries = options.maxEntries ?? 100;
    this.#runtime = runtime;
    this.#timer = new Timer(runtime);
    this.#port = port;
    const draw = (): string => Math.floor(runtime.random() * 2 ** 48).toString(36);
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
      const messageId = fields.messageId ?? `${this.#idPrefix}-${number}`;
      const whole = { ...fields, messageId };
      const problem = this.#port.problem(whole);
      const entry: Entry = {
        number,
        fields: whole,
        exceptSelf,
        resolve,
        reject,
        sentAtMs: undefined,
        mayBeThere: false,
      };
      if (problem) reject(problem);
      else if (this.#online && !this.#draining) this.#transmit(entry);
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
    if (this.#sending || this.#timer.isSet) return;
    const entry = this.#online ? this.#waiting.shift() : undefined;
    this.#draining = entry !== undefined;
    if (!entry) return;
    this.#sending = true;
    this.#transmit(entry, () => {
      this.#sending = false;
      this.#drain();
    });
  }

  #transmit(entry: Entry, next = (): void => {}): void {
    // Limits and session may be others than they were at the call.
    const problem = this.#port.problem(entry.fields) ?? this.#tooLate(entry);
    if (problem) {
      this.#settle(entry, { ok: false, error: problem });
      next();
      return;
    }
    const except = entry.exceptSelf ? this.#port.session() : undefined;
    entry.sentAtMs ??= this.#runtime.monotonicMs();
    this.#port.send(except === undefined ? entry.fields : { ...entry.fields, except }, (outcome) => {
      const code = outcome.ok ? undefined : outcome.error.code;
      if (!outcome.ok && code === 'disconnected') return this.#keep(entry, outcome.error);
      if (!outcome.ok && code === 'rate_limited') this.#putOff(entry, outcome.error);
      else this.#settle(entry, outcome);
      next();
    });
  }

  /**
   * It may be there already, and the gateway may have forgotten its messageId: sent again it could count
   * twice.
   */
  #tooLate({ sentAtMs, mayBeThere }: Entry): ClientError | undefined {
    const isLate = mayBeThere && this.#runtime.monotonicMs() - (sentAtMs ?? 0) > maxResendAgeMs;
    return isLate ? localError('disconnected') : undefined;
  }

  #settle(entry: Entry, outcome: Outcome<'publish'>): void {
    if (outcome.ok && entry.exceptSelf) this.#port.placed(entry.fields.topic, outcome.reply);
    if (outcome.ok) entry.resolve(outcome.reply);
    else entry.reject(outcome.error);
    if (this.#unsettled.delete(entry)) this.#port.settled();
  }

  /** Back into the queue, while the gateway is sure to know the messageId. */
  #keep(entry: Entry, error: ClientError): void {
    entry.mayBeThere = true;
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
    if (this.#waiting.length >= this.#maxEntries) {
      this.#settle(entry, { ok: false, error });
      return;
    }
    this.#insert(entry);
    this.#draining = true;
    this.#timer.set(error.retryAfterMs ?? 1_000, () => this.#drain());
  }

  #insert(entry: Entry): void {
    const at = this.#waiting.findIndex(({ number }) => number > entry.number);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, entry);
  }
}
