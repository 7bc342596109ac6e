import type { Limits, Position, PublishFields, TopicPosition } from '../protocol/frames.ts';
import { type ClientError, localError } from './client-error.ts';
import { resendMaxAgeMs, waitingMax } from './limits.ts';
import type { Outcome, PendingCommands } from './pending-commands.ts';
import type { PublishOptions } from './publication.ts';
import type { Runtime } from './runtime.ts';
import { Timer } from './timer.ts';

export interface Published extends Position {
  /** The messageId was seen before. Epoch and offset are those of the first publication. */
  readonly duplicate: boolean;
}

/** Of a publish that another client may have sent before, which is gone: `PageClient` repeats it. */
export interface RepeatedPublishOptions extends PublishOptions {
  /** When that client sent it, on this client's monotonic clock. */
  readonly lostAtMs?: number | undefined;
}

interface Entry {
  /** Ascends in the order of the application's calls. */
  readonly number: number;
  readonly fields: PublishFields;
  readonly exceptSelf: boolean | undefined;
  readonly resolve: (published: Published) => void;
  readonly reject: (error: ClientError) => void;
  /** When it was first sent without an acknowledgement, on the monotonic clock. */
  lostAtMs?: number | undefined;
}

export interface OfflineQueueOptions {
  /**
   * How many publications may wait without a connection, or while the gateway limits the rate: 100 by default. The next
   * one is rejected. Those that were sent before, and have to be sent again, wait beside them.
   */
  readonly maxEntries?: number | undefined;
}

export interface OfflineQueuePort {
  readonly commands: Pick<PendingCommands, 'send'>;
  /** Throws if the publication can't be sent, as far as is known now. */
  check(fields: PublishFields, exceptSelf: boolean | undefined): void;
  /** Names the session that a publication with `exceptSelf` excepts, and the rate that the gateway takes. */
  readonly greeting:
    | { readonly session: string; readonly limits: Pick<Limits, 'commandsPerSecond'> }
    | undefined;
  /** Is told the positions of publications with `exceptSelf`. */
  readonly own: { add(position: TopicPosition): void };
  /** Is told when the result of `isUnsettled` may have changed. */
  readonly subscriptions: { flush(): void };
}

/**
 * Sends publications, so that the gateway stores those that it stores in the order of the calls. They wait while there
 * is no connection, and after `rate_limited` for the time that the gateway names. Several are on their way at once:
 * `pipelined` keeps them from overtaking one that is refused, and they are sent again once all have their replies. One
 * whose acknowledgement was lost with the connection is sent again too: its messageId keeps it from counting twice. One
 * that can't be sent is rejected without effect on the others.
 */
export class OfflineQueue {
  /** To be sent, in the order of the calls. */
  readonly #waiting: Entry[] = [];
  /** How many are sent and have no reply. */
  #sent = 0;
  /**
   * How many may be: what the gateway takes in a second; more would be refused. After a refusal, and on a new
   * connection, one, and one more with each that is committed, until none waits. 0: none before all that are sent have
   * their replies.
   */
  #window = 0;
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
    return [...this.#unsettled].some(({ fields }) => matches(fields.topic));
  }

  /** Rejects what `check` refuses. */
  publish(fields: PublishFields, options: RepeatedPublishOptions | undefined): Promise<Published> {
    return new Promise((resolve, reject) => {
      const number = ++this.#lastNumber;
      const { messageId = `${this.#idPrefix}-${number}` } = fields;
      const entry: Entry = {
        number,
        fields: { ...fields, messageId },
        exceptSelf: options?.exceptSelf,
        lostAtMs: options?.lostAtMs,
        resolve,
        reject,
      };
      if (!this.#mayTransmit) {
        this.#port.check(entry.fields, entry.exceptSelf);
        const isBurst = this.#rate > 0 && this.#window >= this.#rate;
        if (this.size >= (isBurst ? waitingMax : this.#maxEntries)) throw localError('offline_queue_full');
      }
      this.#waiting.push(entry);
      this.#flush();
    });
  }

  connected(): void {
    this.#window = 1;
    this.#flush();
  }

  /** Call it after the commands that were sent have failed with `disconnected`. */
  disconnected(): void {
    this.#timer.stop();
  }

  /** The client closes: rejects all that wait. */
  rejectAll(error: ClientError): void {
    this.#unsettled.clear();
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** 0: there is no connection. */
  get #rate(): number {
    return this.#port.greeting?.limits.commandsPerSecond ?? 0;
  }

  get #mayTransmit(): boolean {
    return this.#rate > 0 && !this.#timer.isSet && this.#sent < this.#window;
  }

  #flush(): void {
    if (!this.#sent) this.#window ||= 1;
    while (this.#mayTransmit) {
      const entry = this.#waiting.shift();
      if (!entry) {
        this.#window = this.#rate;
        return;
      }
      this.#transmit(entry);
    }
  }

  #transmit(entry: Entry): void {
    const { fields, exceptSelf } = entry;
    const error = this.#tooLate(entry);
    if (error) {
      this.#settle(entry, undefined, error);
      return;
    }
    const sentAtMs = this.#runtime.monotonicMs();
    const except = exceptSelf ? this.#port.greeting?.session : undefined;
    const pipelined = this.#sent++ > 0;
    this.#port.commands.send('publish', { ...fields, except, pipelined }, (...outcome) => {
      this.#sent--;
      const [, error] = outcome;
      const isLost = error?.code === 'disconnected';
      const isRefused = error?.code === 'rate_limited';
      if (isLost) entry.lostAtMs ??= sentAtMs;
      if (isRefused || (isLost && !this.#tooLate(entry))) {
        // In the order of the calls. Thousands that were never sent may wait, all of them later.
        let at = 0;
        while ((this.#waiting[at]?.number as number) < entry.number) at++;
        this.#waiting.splice(at, 0, entry);
        if (isLost && exceptSelf) this.#unsettled.add(entry);
      } else this.#settle(entry, ...outcome);
      if (isRefused) {
        this.#window = 0;
        if (!this.#timer.isSet) this.#timer.set(error.retryAfterMs ?? 1_000, () => this.#flush());
      } else if (!error && this.#window < this.#rate) this.#window++;
      if (!isLost) this.#flush();
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
}
