import { setTimeout as after } from 'node:timers/promises';
import type { Greeting, NodeReport, Server, ServerPicture, TailEntries } from './server.ts';
import { type Listening, PushedTail, ReadTail, type Tail } from './tail.ts';

/** How often a node reports that it is alive, and hears whether the server still knows it. */
const helloEveryMs = 1000;

export interface LinkOptions {
  readonly commands: Server;
  readonly tail: Server;
  /** The first picture of this server: the log is read from there. */
  readonly picture: ServerPicture;
  /** The format of the server's data. */
  readonly format: number;
  /** How long a reply may take. */
  readonly timeoutMs: number;
  readonly listener: LinkListener;
}

/** Implemented by `RedisUpstream`. */
export interface LinkListener {
  /** The report of this node. */
  self(): NodeReport;
  /** The newest message of other nodes that was read. */
  readonly lastMessage: string;
  /** Returns the last entry of the log that was read. Throws if the log does not continue. */
  read(link: RedisLink, read: TailEntries): string;
  /** The server has heard of this node again. Rejects if the server can't be reached. */
  greeted(greeting: Greeting): Promise<void>;
  /** The link is over, unless it was ended here. */
  lost(link: RedisLink, cause: Error): void;
}

/** Both connections to a server, from the moment it knows this node until one of them fails or `end`. */
export class RedisLink implements Listening {
  readonly commands: Server;
  /** Batches and greetings go by this one. */
  readonly commits: Server;
  readonly epoch: string;
  readonly former: ServerPicture['former'];
  readonly term: string;
  readonly format: number;
  readonly #options: LinkOptions;
  /** The entry of the log that was read last. */
  #last: string;
  readonly #tail: Tail;
  #isOver = false;

  constructor(options: LinkOptions) {
    const { commands, tail, picture, format, timeoutMs } = options;
    this.#options = options;
    this.commands = commands;
    this.commits = tail.pushes ? tail : commands;
    this.epoch = picture.epoch;
    this.former = picture.former;
    this.term = picture.term;
    this.format = format;
    this.#last = picture.last;
    this.#tail = tail.pushes ? new PushedTail(tail, commands, this) : new ReadTail(tail, this, timeoutMs);
  }

  /** The entry of the log that was read last. */
  get last(): string {
    return this.#last;
  }

  get lastMessage(): string {
    return this.#options.listener.lastMessage;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Hears of the log, and greets the server, until the link is over. */
  start(): void {
    this.#tail.start().catch((error: Error) => this.lose(error));
    void this.#keepGreeting();
  }

  /** The feed was not told of a commit. */
  missed(): void {
    this.#tail.missed?.();
  }

  take(read: TailEntries): void {
    this.#last = this.#options.listener.read(this, read);
  }

  /** Something failed, and nothing can go on over this link. */
  lose(cause: Error): void {
    if (this.#isOver) return;
    this.end();
    this.#options.listener.lost(this, cause);
  }

  end(): void {
    this.#isOver = true;
    this.commands.close();
    this.#options.tail.close();
  }

  async #keepGreeting(): Promise<void> {
    const { listener } = this.#options;
    while (!this.#isOver) {
      await after(helloEveryMs, undefined, { ref: false });
      if (this.#isOver) return;
      try {
        const greeting = await this.commits.hello(listener.self());
        const { epoch, term, last, waitsAfter } = greeting;
        if (waitsAfter !== undefined || epoch !== this.epoch || term !== this.term)
          throw new Error('Redis became another one');
        await this.#tail.check(last);
        await listener.greeted(greeting);
      } catch (error) {
        this.lose(error as Error);
      }
    }
  }
}
