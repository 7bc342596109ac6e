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
  /** Undefined: it is not sent, but waits to be sent again. */
  readonly kind?: CommandKind;
  readonly timer: TimerHandle;
  readonly settle: (outcome: Outcome<CommandKind>) => void;
  /** Sends it once the client is connected; undefined: it was sent. */
  start?: (() => void) | undefined;
}

/**
 * The commands that have no reply yet: gives them ids, matches replies, and ends each by its reply, a timeout or the
 * loss of the connection. `settle` is called synchronously with the reply's message, because a batch may follow in the
 * next.
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
   * `transmit` throws a `ClientError` if the frame can't be sent. `replies`: the kind of frame that replies to each
   * command; a reply to one that is not among them is not checked.
   */
  constructor(
    runtime: Runtime,
    timeoutMs: number | undefined,
    transmit: (frame: ClientFrame) => void,
    replies: Partial<typeof replyKinds> = {},
  ) {
    this.#runtime = runtime;
    this.#timeoutMs = timeoutMs ?? 10_000;
    this.#transmit = transmit;
    this.#replies = replies;
  }

  /** The client is connected: sends the commands that waited. */
  open(): void {
    this.#open = true;
    for (const { start } of [...this.#pending.values()]) start?.();
  }

  /** The connection is lost: fails the commands that were sent. Those that wait keep waiting. */
  disconnected(): void {
    this.#open = false;
    const error = localError('disconnected');
    for (const [id, { kind, start }] of [...this.#pending]) if (kind && !start) this.#fail(id, error);
  }

  /** The client closes: fails the commands that wait. */
  rejectWaiting(error: ClientError): void {
    for (const id of [...this.#pending.keys()]) this.#fail(id, error);
  }

  /**
   * Sends at once, or when the client is connected. The timeout counts from now. A command that can't be sent fails at
   * once, without effect on others.
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
   * Sends when the client is connected. After `rate_limited` it sends again once the time that the gateway named is
   * over. The timeout counts from now and includes all waiting. If the connection is lost after it was sent, it fails
   * with `disconnected`.
   */
  request<K extends CommandKind>(kind: K, fields: Commands[K]): Promise<ReplyTo<K>> {
    return new Promise((resolve, reject) => {
      const deadlineMs = this.#runtime.monotonicMs() + this.#timeoutMs;
      const leftMs = (): number => deadlineMs - this.#runtime.monotonicMs();
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

  /** Calls `over` after the delay. Returns the command's id. */
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

/** `cause`: thrown by an encoder or a socket. */
function asClientError(cause: unknown): ClientError {
  if (cause instanceof ClientError) return cause;
  return localError('unsupported_value', undefined, cause);
}
