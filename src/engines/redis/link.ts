import { setTimeout as after } from 'node:timers/promises';
import type { Greeting, Read, Self, Server, ServerPicture } from './server.ts';

/** Entries of one read. */
const readAtOnce = 256;
/** How long a read of the log waits for something to come. */
const blockMs = 1000;
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

/** What a link tells. Implemented by `RedisUpstream`. */
export interface LinkListener {
  /** The report of this node. */
  self(): Self;
  /** The newest message of other nodes that was read. */
  readonly lastMessage: string;
  /** Returns the last of the entries of the log that were read. Throws where the log does not continue. */
  read(link: RedisLink, read: Read): string;
  /** The server has heard of this node again. Rejects where the server can't be reached. */
  greeted(greeting: Greeting): Promise<void>;
  /** The link is over, unless it was ended here. */
  lost(link: RedisLink, cause: Error): void;
}

/** Both connections to a server, from the moment it knows this node until one of them fails or `end`. */
export class RedisLink {
  readonly commands: Server;
  readonly epoch: string;
  readonly former: ServerPicture['former'];
  readonly term: string;
  readonly format: number;
  readonly #options: LinkOptions;
  /** The entry of the log that was read last. */
  #last: string;
  /** When the read of the log began that is under way. */
  #readAtMs = 0;
  #isOver = false;

  constructor(options: LinkOptions) {
    const { commands, picture, format } = options;
    this.#options = options;
    this.commands = commands;
    this.epoch = picture.epoch;
    this.former = picture.former;
    this.term = picture.term;
    this.format = format;
    this.#last = picture.last;
  }

  /** The entry of the log that was read last. */
  get last(): string {
    return this.#last;
  }

  /** Reads the log, and greets the server, until the link is over. */
  start(): void {
    void this.#follow();
    void this.#keepGreeting();
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

  async #follow(): Promise<void> {
    const { tail, listener } = this.#options;
    while (!this.#isOver) {
      try {
        this.#readAtMs = performance.now();
        const read = await tail.read(this.#last, listener.lastMessage, readAtOnce, blockMs);
        if (this.#isOver) return;
        this.#last = listener.read(this, read);
      } catch (error) {
        this.lose(error as Error);
      }
    }
  }

  async #keepGreeting(): Promise<void> {
    const { listener, timeoutMs } = this.#options;
    let silentAt = '';
    while (!this.#isOver) {
      await after(helloEveryMs, undefined, { ref: false });
      if (this.#isOver) return;
      try {
        const before = this.#last;
        const greeting = await this.commands.hello(listener.self());
        const { epoch, term, last, waitsAfter } = greeting;
        if (waitsAfter !== undefined || epoch !== this.epoch || term !== this.term)
          throw new Error('Redis became another one');
        // Commands work: so should the log. Looked at here, as a timer for each read costs more than the read.
        if (performance.now() - this.#readAtMs > blockMs + timeoutMs)
          throw new Error('Redis does not answer');
        if (last !== this.#last && this.#last === before && silentAt === before)
          throw new Error('the log of Redis is silent');
        await listener.greeted(greeting);
        silentAt = last === this.#last ? '' : this.#last;
      } catch (error) {
        this.lose(error as Error);
      }
    }
  }
}
