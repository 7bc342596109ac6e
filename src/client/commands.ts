import type { ClientFrame, CommandKind, Commands, ServerFrame, ServerKinds } from '../protocol/frames.ts';
import { ClientError, localError } from './client-error.ts';
import type { Runtime, TimerHandle } from './runtime.ts';

/** Which kind of frame answers which command. */
const replyKinds = {
  connect: 'connected',
  subscribe: 'subscribed',
  unsubscribe: 'unsubscribed',
  publish: 'published',
  history: 'history',
  presence: 'presence',
  status: 'status',
  refresh: 'refreshed',
  ping: 'pong',
  call: 'result',
} as const satisfies Record<CommandKind, keyof ServerKinds>;

export type ReplyTo<K extends CommandKind> = ServerKinds[(typeof replyKinds)[K]];

export type Outcome<K extends CommandKind> =
  | { readonly ok: true; readonly reply: ReplyTo<K> }
  | { readonly ok: false; readonly error: ClientError };

interface Pending {
  readonly kind: CommandKind;
  readonly timer: TimerHandle;
  settle(outcome: Outcome<CommandKind>): void;
}

/**
 * Commands on their way: gives ids, matches replies, lets each end by reply, timeout or loss of the connection.
 * Outcomes are told synchronously, within the turn of the reply's message, because a batch may follow in the next one.
 */
export class PendingCommands {
  // 1 is the id of the handshake's `connect`; see connection.ts.
  #lastId = 1;
  #open = false;
  readonly #pending = new Map<number, Pending>();
  readonly #waiting = new Map<() => void, (error: ClientError) => void>();
  readonly #runtime: Runtime;
  readonly #timeoutMs: number;
  readonly #transmit: (frame: ClientFrame) => void;

  constructor(runtime: Runtime, timeoutMs: number, transmit: (frame: ClientFrame) => void) {
    this.#runtime = runtime;
    this.#timeoutMs = timeoutMs;
    this.#transmit = transmit;
  }

  /** The connection is there: what waited goes out. */
  open(): void {
    this.#open = true;
    const waiting = [...this.#waiting.keys()];
    this.#waiting.clear();
    for (const start of waiting) start();
  }

  /** The connection is lost: whatever was sent gets no reply any more. What waits goes on waiting. */
  disconnected(error: ClientError): void {
    this.#open = false;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { timer, settle } of pending) {
      this.#runtime.clearTimeout(timer);
      settle({ ok: false, error });
    }
  }

  /** The client closes: what waits waits for nothing. */
  rejectWaiting(error: ClientError): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const reject of waiting) reject(error);
  }

  /** Sends at once; only while the connection is there. */
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
    this.#transmit({ kind, id, ...fields } as unknown as ClientFrame);
  }

  /** Sends when the connection is there; the timeout counts from now, waiting included. */
  request<K extends CommandKind>(kind: K, fields: Commands[K]): Promise<ReplyTo<K>> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome<K>): void =>
        outcome.ok ? resolve(outcome.reply) : reject(outcome.error);
      if (this.#open) return this.send(kind, fields, settle);
      const deadlineMs = this.#runtime.now() + this.#timeoutMs;
      const start = (): void => {
        this.#runtime.clearTimeout(timer);
        this.send(kind, fields, settle, Math.max(0, deadlineMs - this.#runtime.now()));
      };
      const timer = this.#runtime.setTimeout(() => {
        this.#waiting.delete(start);
        reject(localError('timeout', 'There was no connection in time; nothing was sent.'));
      }, this.#timeoutMs);
      this.#waiting.set(start, (error) => {
        this.#runtime.clearTimeout(timer);
        reject(error);
      });
    });
  }

  /** Whether the frame was the reply to a command of ours. */
  resolve(frame: ServerFrame): boolean {
    const pending = this.#pending.get(frame.id);
    if (frame.id === 0 || !pending) return false;
    this.#pending.delete(frame.id);
    this.#runtime.clearTimeout(pending.timer);
    pending.settle(outcomeOf(pending.kind, frame));
    return true;
  }
}

function outcomeOf(kind: CommandKind, frame: ServerFrame): Outcome<CommandKind> {
  if (frame.kind === 'error') return { ok: false, error: new ClientError(frame) };
  const { kind: replied, id: _, ...fields } = frame;
  if (replied === replyKinds[kind]) return { ok: true, reply: fields as ReplyTo<CommandKind> };
  return { ok: false, error: localError('invalid_message', `The reply to ${kind} was ${replied}.`) };
}
