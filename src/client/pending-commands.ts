import type { ClientFrame, CommandKind, Commands } from '../protocol/client-frames.ts';
import type { ServerFrame, ServerKinds } from '../protocol/server-frames.ts';
import { ClientError, localError } from './client-error.ts';
import type { Runtime, TimerHandle } from './runtime.ts';
import type { replyKinds } from './wire/tables.ts';

export type ReplyTo<K extends CommandKind> = ServerKinds[(typeof replyKinds)[K]];

export type Outcome<K extends CommandKind> =
  | { readonly ok: true; readonly reply: ReplyTo<K> }
  | { readonly ok: false; readonly error: ClientError };

interface Pending {
  readonly kind: CommandKind;
  readonly timer: TimerHandle;
  settle(outcome: Outcome<CommandKind>): void;
}

/** A request that has not been sent: it waits for the connection, or for the delay that the gateway named. */
interface Waiting {
  readonly timer: TimerHandle;
  /** Sends it when the connection is there. Undefined: it waits for its timer alone. */
  readonly start: (() => void) | undefined;
  readonly reject: (error: ClientError) => void;
}

/**
 * Commands on their way: gives ids, matches replies, lets each end by reply, timeout or loss of the
 * connection. Outcomes are told synchronously, within the turn of the reply's message, because a batch may
 * follow in the next one.
 */
export class PendingCommands {
  // 1 is the id of the handshake's `connect`; see socket-session.ts.
  #lastId = 1;
  #open = false;
  readonly #pending = new Map<number, Pending>();
  readonly #waiting = new Set<Waiting>();
  readonly #runtime: Runtime;
  readonly #timeoutMs: number;
  readonly #transmit: (frame: ClientFrame) => void;
  readonly #replies: Partial<typeof replyKinds>;

  /**
   * `transmit` throws a `ClientError` where the frame can't be sent. `replies`: the kinds of frames that are checked to
   * reply to commands.
   */
  constructor(
    runtime: Runtime,
    timeoutMs: number,
    transmit: (frame: ClientFrame) => void,
    replies: Partial<typeof replyKinds> = {},
  ) {
    this.#runtime = runtime;
    this.#timeoutMs = timeoutMs;
    this.#transmit = transmit;
    this.#replies = replies;
  }

  /** The connection is there: what waited goes out. */
  open(): void {
    this.#open = true;
    for (const waiting of [...this.#waiting]) {
      if (!waiting.start) continue;
      this.#endWait(waiting);
      waiting.start();
    }
  }

  /** The connection is lost: commands that were sent get no reply. Those that wait go on waiting. */
  disconnected(error: ClientError): void {
    this.#open = false;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { timer, settle } of pending) {
      this.#runtime.clearTimeout(timer);
      settle({ ok: false, error });
    }
  }

  /** The client closes: commands that wait are rejected. */
  rejectWaiting(error: ClientError): void {
    for (const waiting of [...this.#waiting]) {
      this.#endWait(waiting);
      waiting.reject(error);
    }
  }

  /** Sends at once; only while the connection is there. What can't be sent fails alone, and at once. */
  send<K extends CommandKind>(
    kind: K,
    fields: Commands[K],
    settle: (outcome: Outcome<K>) => void,
    timeoutMs = this.#timeoutMs,
  ): void {
    this.#lastId = this.#lastId >= 0xffff_ffff ? 2 : this.#lastId + 1;
    const id = this.#lastId;
    const timer = this.#runtime.setTimeout(() => {
      this.#pending.delete(id);
      settle({ ok: false, error: localError('timeout') });
    }, timeoutMs);
    this.#pending.set(id, { kind, timer, settle: settle as Pending['settle'] });
    try {
      this.#transmit({ kind, id, ...fields } as unknown as ClientFrame);
    } catch (cause) {
      this.#pending.delete(id);
      this.#runtime.clearTimeout(timer);
      settle({ ok: false, error: asClientError(cause) });
    }
  }

  /**
   * Sends when the connection is there, and again when the gateway has limited the rate and the time that it
   * named is over. The timeout counts from now, all waiting included. What was sent when the connection was
   * lost fails with `disconnected`.
   */
  request<K extends CommandKind>(kind: K, fields: Commands[K]): Promise<ReplyTo<K>> {
    return new Promise((resolve, reject) => {
      const deadlineMs = this.#runtime.monotonicMs() + this.#timeoutMs;
      const leftMs = (): number => Math.max(0, deadlineMs - this.#runtime.monotonicMs());
      const settle = (outcome: Outcome<K>): void => {
        if (outcome.ok) {
          resolve(outcome.reply);
          return;
        }
        const { code, retryAfterMs = 1_000 } = outcome.error;
        if (code !== 'rate_limited' || retryAfterMs >= leftMs()) reject(outcome.error);
        else this.#wait(retryAfterMs, undefined, reject, begin);
      };
      const start = (): void => this.send(kind, fields, settle, leftMs());
      const begin = (): void => {
        if (this.#open) start();
        else this.#wait(leftMs(), start, reject, () => reject(noConnection()));
      };
      begin();
    });
  }

  #wait(delayMs: number, start: Waiting['start'], reject: Waiting['reject'], over: () => void): void {
    const timer = this.#runtime.setTimeout(() => {
      this.#waiting.delete(waiting);
      over();
    }, delayMs);
    const waiting: Waiting = { timer, start, reject };
    this.#waiting.add(waiting);
  }

  #endWait(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    this.#runtime.clearTimeout(waiting.timer);
  }

  /** Returns whether the frame was the reply to a pending command. */
  resolve(frame: ServerFrame): boolean {
    const pending = this.#pending.get(frame.id);
    if (frame.id === 0 || !pending) return false;
    this.#pending.delete(frame.id);
    this.#runtime.clearTimeout(pending.timer);
    pending.settle(outcomeOf(frame, this.#replies[pending.kind]));
    return true;
  }
}

function outcomeOf(frame: ServerFrame, wanted = frame.kind as string): Outcome<CommandKind> {
  if (frame.kind === 'error') return { ok: false, error: new ClientError(frame) };
  const { kind: replied, id: _, ...fields } = frame;
  if (replied === wanted) return { ok: true, reply: fields as ReplyTo<CommandKind> };
  return { ok: false, error: localError('invalid_message', `${replied} came, not ${wanted}`) };
}

function noConnection(): ClientError {
  return localError('timeout', 'No connection in time.');
}

/** For what an encoder or a socket threw. */
function asClientError(cause: unknown): ClientError {
  if (cause instanceof ClientError) return cause;
  return localError('unsupported_value', undefined, cause);
}
