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
  /** Undefined: it is not a command on its way, but waits to begin again. */
  readonly kind?: CommandKind;
  readonly timer: TimerHandle;
  readonly settle: (outcome: Outcome<CommandKind>) => void;
  /** Sends it when the connection is there. Undefined: it is sent. */
  start?: (() => void) | undefined;
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
    timeoutMs = 10_000,
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
    for (const { start } of [...this.#pending.values()]) start?.();
  }

  /** The connection is lost: commands that were sent get no reply. Those that wait go on waiting. */
  disconnected(): void {
    this.#open = false;
    const error = localError('disconnected');
    for (const [id, { kind, start }] of [...this.#pending]) if (kind && !start) this.#fail(id, error);
  }

  /** The client closes: commands that wait are rejected. */
  rejectWaiting(error: ClientError): void {
    for (const id of [...this.#pending.keys()]) this.#fail(id, error);
  }

  /**
   * Sends at once, or when the connection is there. The timeout counts from now. What can't be sent fails alone, and at
   * once.
   */
  send<K extends CommandKind>(
    kind: K,
    fields: Commands[K],
    settle: (outcome: Outcome<K>) => void,
    timeoutMs = this.#timeoutMs,
  ): void {
    const id = this.#wait({ kind, settle: settle as Pending['settle'] }, timeoutMs, () => {
      this.#fail(id, localError('timeout', pending.start ? 'no connection' : undefined));
    });
    const pending = this.#pending.get(id) as Pending;
    pending.start = () => {
      pending.start = undefined;
      try {
        this.#transmit({ kind, id, ...fields } as unknown as ClientFrame);
      } catch (cause) {
        this.#fail(id, asClientError(cause));
      }
    };
    if (this.#open) pending.start();
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
      const refused = ({ error }: { readonly error: ClientError }): void => reject(error);
      const begin = (): void =>
        this.send(
          kind,
          fields,
          (outcome) => {
            if (outcome.ok) resolve(outcome.reply);
            else {
              const { code, retryAfterMs = 1_000 } = outcome.error;
              if (code !== 'rate_limited' || retryAfterMs >= leftMs()) refused(outcome);
              else this.#wait({ settle: refused as Pending['settle'] }, retryAfterMs, begin);
            }
          },
          leftMs(),
        );
      begin();
    });
  }

  /** Returns whether the frame was the reply to a pending command. */
  resolve(frame: ServerFrame): boolean {
    const pending = this.#end(frame.id);
    pending?.settle(outcomeOf(frame, pending.kind && this.#replies[pending.kind]));
    return pending !== undefined;
  }

  /** Returns its id. */
  #wait(pending: Omit<Pending, 'timer'>, delayMs: number, over: () => void): number {
    this.#lastId = this.#lastId >= 0xffff_ffff ? 2 : this.#lastId + 1;
    const id = this.#lastId;
    const timer = this.#runtime.setTimeout(() => {
      over();
      this.#end(id);
    }, delayMs);
    this.#pending.set(id, { ...pending, timer });
    return id;
  }

  #fail(id: number, error: ClientError): void {
    this.#end(id)?.settle({ ok: false, error });
  }

  #end(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending) this.#runtime.clearTimeout(pending.timer);
    this.#pending.delete(id);
    return pending;
  }
}

function outcomeOf(frame: ServerFrame, wanted = frame.kind as string): Outcome<CommandKind> {
  if (frame.kind === 'error') return { ok: false, error: new ClientError(frame) };
  const { kind: replied, id: _, ...fields } = frame;
  if (replied === wanted) return { ok: true, reply: fields as ReplyTo<CommandKind> };
  return { ok: false, error: localError('invalid_message', `${replied} came, not ${wanted}`) };
}

/** For what an encoder or a socket threw. */
function asClientError(cause: unknown): ClientError {
  if (cause instanceof ClientError) return cause;
  return localError('unsupported_value', undefined, cause);
}
