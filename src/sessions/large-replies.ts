/** Commands of one session that wait to be answered by something large; more are refused. */
export const waitingCommandsMax = 100;

/** Builds and sends the reply; resolves when it is sent. Never throws or rejects. */
type LargeReply = () => Promise<unknown> | undefined;

export interface LargeRepliesPort {
  /** Whether the connection takes a large message now. */
  readonly hasRoom: () => boolean;
  /** Runs it now, or in one of the next turns. */
  readonly inTurn: (run: () => void) => void;
}

/**
 * Large replies of one session, one after the other, each made only when the connection has room for it: a client that
 * does not read has nothing made for it.
 */
export class LargeReplies {
  readonly #port: LargeRepliesPort;
  #waiting: LargeReply[] = [];
  #isBusy = false;

  constructor(port: LargeRepliesPort) {
    this.#port = port;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** False: too many wait. Else it is run exactly once, unless the session ends before. */
  add(reply: LargeReply): boolean {
    if (this.#waiting.length >= waitingCommandsMax) return false;
    this.#waiting.push(reply);
    this.pump();
    return true;
  }

  /** Call it when there may be room again. */
  pump(): void {
    if (this.#isBusy || this.#waiting.length === 0 || !this.#port.hasRoom()) return;
    this.#isBusy = true;
    this.#port.inTurn(() => this.#run());
  }

  #run(): void {
    const reply = this.#waiting.shift();
    const done = reply?.();
    const proceed = () => {
      this.#isBusy = false;
      this.pump();
    };
    if (done instanceof Promise) void done.then(proceed);
    else proceed();
  }

  clear(): void {
    this.#waiting = [];
  }
}
