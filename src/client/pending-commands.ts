import type { ClientFrame, CommandKind, Commands } from '../protocol/client-frames.ts';
import type { ServerFrame, ServerKinds } from '../protocol/server-frames.ts';
import { ClientError, localError } from './client-error.ts';
import type { Runtime, TimerHandle } from './runtime.ts';
import type { ReplyKinds } from './wire/tables.ts';

export type ReplyTo<K extends CommandKind> = ServerKinds[ReplyKinds[K]];

/** The reply, or why there is none. */
export type Outcome<K extends CommandKind> =
  | [reply: ReplyTo<K>, error: undefined]
  | [reply: undefined, error: ClientError];

type Settle<K extends CommandKind> = (...outcome: Outcome<K>) => void;

interface Pending {
  readonly settle: Settle<CommandKind>;
  /** Called once the client is connected; undefined: it is sent. */
  start: (() => void) | undefined;
  timer?: TimerHandle;
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

  /** `transmit` throws a `ClientError` if the frame can't be sent. */
  constructor(runtime: Runtime, timeoutMs: number | undefined, transmit: (frame: ClientFrame) => void) {
    this.#runtime = runtime;
    this.#timeoutMs = timeoutMs ?? 10_000;
    this.#transmit = transmit;
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
    for (const [id, { start }] of [...this.#pending]) if (!start) this.#fail(id, error);
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
    settle: Settle<K>,
    timeoutMs = this.#timeoutMs,
  ): void {
    const start = (): void => {
      pending.start = undefined;
      try {
        this.#transmit({ kind, id, ...fields } as unknown as ClientFrame);
      } catch (cause) {
        // Thrown by the encoder or the socket.
        const isTold = cause instanceof ClientError;
        this.#fail(id, isTold ? cause : localError('unsupported_value', undefined, cause));
      }
    };
    const pending: Pending = { settle: settle as Pending['settle'], start };
    const id = this.#wait(pending, timeoutMs, () =>
      this.#fail(id, localError('timeout', pending.start && 'no connection')),
    );
    if (this.#open) start();
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
      const settle: Settle<K> = (reply, error) => {
        const { code, retryAfterMs = 1_000 } = error ?? {};
        if (!error) resolve(reply);
        else if (code !== 'rate_limited' || retryAfterMs >= leftMs()) reject(error);
        // It waits for the gateway, also while another connection begins.
        else this.#wait({ settle: settle as Pending['settle'], start: () => {} }, retryAfterMs, begin);
      };
      const begin = (): void => this.send(kind, fields, settle, leftMs());
      begin();
    });
  }

  /** Returns whether the frame was the reply to a pending command. */
  resolve(frame: ServerFrame): boolean {
    const pending = this.#end(frame.id);
    if (frame.kind === 'error') pending?.settle(undefined, new ClientError(frame));
    else {
      const { kind: _kind, id: _id, ...reply } = frame;
      pending?.settle(reply as ReplyTo<CommandKind>, undefined);
    }
    return pending !== undefined;
  }

  /** Calls `over` after the delay. Returns the command's id. */
  #wait(pending: Pending, delayMs: number, over: () => void): number {
    this.#lastId = (this.#lastId % 0xffff_ffff) + 1;
    const id = this.#lastId;
    pending.timer = this.#runtime.setTimeout(() => {
      over();
      this.#end(id);
    }, delayMs);
    this.#pending.set(id, pending);
    return id;
  }

  #fail(id: number, error: ClientError): void {
    this.#end(id)?.settle(undefined, error);
  }

  #end(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending) this.#runtime.clearTimeout(pending.timer);
    this.#pending.delete(id);
    return pending;
  }
}
