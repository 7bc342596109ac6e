import type { PublishFields, WireError } from '../../protocol/frames.ts';
import type { ServerFrame } from '../../protocol/server-frames.ts';
import type { Runtime, TimerHandle } from '../runtime.ts';
import { gatewayError } from '../told-error.ts';
import { readHttpFrame, requestBody } from './json-frames.ts';
import { RefusalError, request, type Target, UnansweredError } from './receive.ts';

/** What the commands need from their connection. */
export interface CommandsPort {
  readonly runtime: Runtime;
  readonly commandTimeoutMs: number;
  /** How long the first try of a command that may be repeated waits for its response. */
  readonly requestTimeoutMs: number;
  target(): Target;
  /** The connection has ended: nothing more is sent. */
  isOver(): boolean;
  /** That of the open stream. */
  session(): string;
  reply(frame: ServerFrame): void;
  fail(id: number, error: WireError): void;
}

interface Publish {
  readonly id: number;
  readonly body: string;
  readonly except: string | undefined;
  /** Then the client rejects it. */
  readonly endsAtMs: number;
}

type Raw = Readonly<Record<string, unknown>>;

const repeatDelayMs = 1_000;
const batchMaxPublications = 100;
const batchMaxCharacters = 50_000;
/** After each batch that gets its replies the next may be larger by this, if one was too large or took too long. */
const batchGrowthCharacters = 1_000;

/**
 * Sends commands as requests, and gives their replies. Where that has no other effect, a request without a reply of the
 * gateway is sent again until the command's time is over: on another connection, because this one may be dead. Other
 * commands fail as soon as their connection is cut.
 */
export class HttpCommands {
  /** Those that wait, and the ones before them that are under way. */
  #publishes: readonly Publish[] = [];
  #isPublishing = false;
  /** What `afterOwn` has still to call. */
  #held: (() => void)[] = [];
  /** Tries to publish in a row that got no response. */
  #failures = 0;
  /** What goes on after a wait. */
  readonly #waits = new Map<TimerHandle, () => void>();
  /** Of one request. A larger publication is sent alone. */
  #batchMaxCharacters = batchMaxCharacters;
  readonly #port: CommandsPort;

  constructor(port: CommandsPort) {
    this.#port = port;
  }

  /** Throws `UnansweredError` or `RefusalError`. */
  async fetch(path: string, body?: string, options: RequestInit = {}): Promise<Raw> {
    const response = await request(this.#port.target(), path, body, options);
    return (await response.json().catch((cause: Error) => {
      throw new UnansweredError(cause.message, { cause });
    })) as Raw;
  }

  /** The response is the reply: a frame of this type. `isRepeatable`: executed twice, it has no other effect. */
  async ask(id: number, type: string, path: string, body?: string, isRepeatable = false): Promise<void> {
    const endsAtMs = this.#endsAtMs;
    for (let failures = 0; ; failures++) {
      try {
        const reply = isRepeatable ? this.#try(failures, endsAtMs, path, body) : this.fetch(path, body);
        return this.#port.reply(readHttpFrame({ ...(await reply), type, id }));
      } catch (cause) {
        if (!isRepeatable) return this.#fail([{ id }], cutOff(cause));
        if (isFinal(cause) || this.#isLate(endsAtMs)) return this.#fail([{ id }], cause);
        await this.#wait(delayAfter(cause, failures));
        if (this.#port.isOver()) return;
      }
    }
  }

  /** The first try may be on a dead connection. Later ones have the rest of the time: the network may be slow. */
  async #try(failures: number, endsAtMs: number, path: string, body?: string): Promise<Raw> {
    const { runtime, requestTimeoutMs } = this.#port;
    const abort = new AbortController();
    const leftMs = endsAtMs - this.#nowMs;
    const timeoutMs = failures === 0 ? Math.min(requestTimeoutMs, leftMs) : leftMs;
    const timer = runtime.setTimeout(() => abort.abort(), timeoutMs);
    try {
      return await this.fetch(path, body, { signal: abort.signal });
    } finally {
      runtime.clearTimeout(timer);
    }
  }

  /**
   * Publishes after the publications before it: two requests could overtake each other. Those that wait share one.
   * Sent again a publication counts once, by its messageId.
   */
  publish(id: number, fields: PublishFields): void {
    const publish = { id, body: requestBody(fields), except: fields.except, endsAtMs: this.#endsAtMs };
    this.#publishes = [...this.#publishes, publish];
    if (!this.#isPublishing) void this.#publishAll();
  }

  /**
   * Calls it after those before it. `mayShowOwn`: once all publishes that except a former session have their replies.
   * The gateway sends their publications to this one, and the client leaves them out by the positions in the replies.
   * They were sent before this stream was opened, so it waits for `commandTimeoutMs` at most: then they have failed.
   * Not called at all after `forget`.
   */
  afterOwn(mayShowOwn: boolean, run: () => void): void {
    if (this.#held.length > 0 || (mayShowOwn && this.#exceptsFormer)) this.#held.push(run);
    else run();
  }

  /** A stream has ended: nothing is called of what it left. */
  forget(): void {
    this.#held = [];
  }

  get #exceptsFormer(): boolean {
    const session = this.#port.session();
    return this.#publishes.some(({ except }) => except !== undefined && except !== session);
  }

  async #publishAll(): Promise<void> {
    this.#isPublishing = true;
    while (this.#publishes.length > 0 && !this.#port.isOver()) {
      await this.#publishBatch(this.#nextBatch());
      this.#publishes = this.#publishes.filter(({ endsAtMs }) => endsAtMs > this.#nowMs);
      while (this.#held.length > 0 && !this.#exceptsFormer) this.#held.shift()?.();
    }
    this.#isPublishing = false;
  }

  #nextBatch(): readonly Publish[] {
    let characters = 0;
    let count = 0;
    for (const { body } of this.#publishes.slice(0, batchMaxPublications)) {
      characters += body.length;
      if (count > 0 && characters > this.#batchMaxCharacters) break;
      count++;
    }
    return this.#publishes.slice(0, count);
  }

  /** Sends them once, and waits if they are to be sent again. */
  async #publishBatch(batch: readonly Publish[]): Promise<void> {
    // Then the client rejects the first of them.
    const [{ endsAtMs, body }] = batch as [Publish];
    const send = (path: string, text: string) => this.#try(this.#failures, endsAtMs, path, text);
    try {
      if (batch.length === 1) this.#replyTo(batch, [await send('api/publish', body)]);
      else {
        const text = `[${batch.map((publish) => publish.body).join()}]`;
        const { results } = await send('api/publish/batch', text);
        this.#replyTo(batch, results as readonly Raw[]);
      }
      this.#failures = 0;
      this.#batchMaxCharacters = Math.min(
        this.#batchMaxCharacters + batchGrowthCharacters,
        batchMaxCharacters,
      );
    } catch (cause) {
      if (batch.length > 1 && codeOf(cause) === 'frame_too_large') {
        this.#batchMaxCharacters /= 2;
        return;
      }
      const isOver = isFinal(cause);
      if (isOver) {
        this.#end(batch);
        this.#fail(batch, cause);
      }
      if (isRateLimited(cause)) this.#failAll(cause);
      if (isTimeout(cause)) this.#batchMaxCharacters /= 2;
      const delayMs = delayAfter(cause, this.#failures);
      this.#failures = cause instanceof UnansweredError ? this.#failures + 1 : 0;
      // Those after one that is too late wait until the client has rejected it: the next connection may still send it.
      const isLate = this.#isLate(endsAtMs);
      const waitMs = isLate ? endsAtMs - this.#nowMs : delayMs;
      if (!isOver && waitMs > 0) await this.#wait(waitMs);
      if (isLate) this.#end(batch.filter((each) => this.#isLate(each.endsAtMs)));
    }
  }

  /** Throws before the first reply if these are no results of a gateway. */
  #replyTo(batch: readonly Publish[], results: readonly Raw[]): void {
    const outcomes = batch.map(({ id }, index) => {
      const { error, ...result } = results[index] as { readonly error?: WireError };
      if (!error) return readHttpFrame({ ...result, type: 'published', id });
      return new RefusalError(gatewayError(error.code, error.message, error.retryAfterMs));
    });
    this.#end(batch);
    outcomes.forEach((outcome, index) => {
      if (outcome instanceof RefusalError) this.#fail([batch[index] as Publish], outcome);
      else this.#port.reply(outcome);
    });
    const limited = outcomes.find(isRateLimited);
    if (limited) this.#failAll(limited);
  }

  #end(publishes: readonly Publish[]): void {
    this.#publishes = this.#publishes.filter((publish) => !publishes.includes(publish));
  }

  /** The client sends one that was limited again: those after it may not overtake it. */
  #failAll(limited: unknown): void {
    this.#fail(this.#publishes, limited);
    this.#publishes = [];
  }

  /** Without a response they time out, or the next connection sends them. */
  #fail(commands: readonly { readonly id: number }[], cause: unknown): void {
    if (cause instanceof RefusalError) for (const { id } of commands) this.#port.fail(id, cause.error);
  }

  get #nowMs(): number {
    return this.#port.runtime.monotonicMs();
  }

  get #endsAtMs(): number {
    return this.#nowMs + this.#port.commandTimeoutMs;
  }

  /** Too late to send it again. */
  #isLate(endsAtMs: number): boolean {
    return this.#nowMs >= endsAtMs - repeatDelayMs;
  }

  /** Not for longer than a command may take: those that come meanwhile wait too. */
  #wait(delayMs: number): Promise<void> {
    const { runtime, commandTimeoutMs } = this.#port;
    return new Promise((resolve) => {
      const over = (): void => {
        this.#waits.delete(timer);
        resolve();
      };
      const timer = runtime.setTimeout(over, Math.min(delayMs, commandTimeoutMs));
      this.#waits.set(timer, over);
    });
  }

  /** The connection has ended: no timer keeps the process alive. */
  end(): void {
    for (const [timer, over] of this.#waits) {
      this.#port.runtime.clearTimeout(timer);
      over();
    }
  }
}

/**
 * Whether the gateway has refused the command. It has not where another server responded in its place, such as a
 * proxy that reaches no gateway, nor while it ends: another one is there soon.
 */
function isFinal(cause: unknown): boolean {
  return cause instanceof RefusalError && cause.error.number < 1_000 && cause.error.code !== 'shutting_down';
}

function isTimeout(cause: unknown): boolean {
  return cause instanceof UnansweredError && (cause.cause as Partial<Error>).name === 'AbortError';
}

function codeOf(outcome: unknown): string | undefined {
  return outcome instanceof RefusalError ? outcome.error.code : undefined;
}

function isRateLimited(outcome: unknown): boolean {
  return codeOf(outcome) === 'rate_limited';
}

/** The first time a connection is cut, as one that was idle for long, another one is tried at once. */
function delayAfter(cause: unknown, failures: number): number {
  if (cause instanceof UnansweredError && failures === 0) return 0;
  return (cause instanceof RefusalError && cause.error.retryAfterMs) || repeatDelayMs;
}

/** Whether the gateway executed the command is unknown. */
function cutOff(cause: unknown): RefusalError {
  if (cause instanceof RefusalError) return cause;
  // The number is that of the SDK's own code.
  return new RefusalError({
    code: 'disconnected',
    number: 1001,
    message: (cause as Error).message,
    retry: true,
  });
}
