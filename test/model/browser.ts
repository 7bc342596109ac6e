import type { OpenChannel } from '../../src/client/page/channel.ts';
import type { Locks } from '../../src/client/page/election.ts';
import type { Surroundings } from '../../src/client/page/surroundings.ts';
import type { Gateway } from './gateway.ts';
import { promises } from './loop.ts';
import { type Events, inOrder, LoopTimers, type Run } from './sdk-transports.ts';

interface Request {
  readonly tab: Tab;
  readonly granted: () => Promise<void> | undefined;
  readonly resolve: (value: undefined) => void;
  readonly reject: (fault: unknown) => void;
}

/** A lock: who holds it, and who waits for it. */
interface Lock {
  holder: Request | undefined;
  readonly queue: Request[];
}

/**
 * What the tabs of a browser share, as the specifications of Web Locks and of broadcast channels have it. Everything
 * takes a while: it keeps its order within a channel, and among what a tab asks of the locks, but not otherwise.
 */
export class Browser {
  gateway: Gateway;
  /** Of all connections of all tabs. */
  readonly sessions = new Set<string>();
  readonly #timers: LoopTimers;
  readonly #channels = new Map<string, Set<Channel>>();
  readonly #locks = new Map<string, Lock>();
  #random: number;

  constructor(gateway: Gateway, seed: number) {
    this.gateway = gateway;
    this.#random = seed + 1;
    const browser = this;
    this.#timers = new LoopTimers({
      get gateway() {
        return browser.gateway;
      },
      events: inOrder,
    });
  }

  moveTo(gateway: Gateway): void {
    this.gateway = gateway;
    this.#timers.moved();
  }

  /** In [0, below). */
  draw(below: number): number {
    // A linear congruential generator, with the constants of Numerical Recipes.
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#random / 2 ** 32) * below);
  }

  after(ms: number, run: Run): void {
    this.#timers.setTimeout(run, ms);
  }

  /** Returns a function that runs what it is given after a while, in the order of the calls. */
  pipe(): (run: Run) => void {
    let lastMs = 0;
    return (run) => {
      const delayMs = this.draw(3) === 0 ? this.draw(40) : 0;
      const nowMs = this.gateway.loop.nowMs();
      lastMs = Math.max(lastMs, nowMs + delayMs);
      this.after(lastMs - nowMs, run);
    };
  }

  openChannel(tab: Tab, name: string, receive: (message: unknown) => void): ReturnType<OpenChannel> {
    const channel = new Channel(tab, receive, this.pipe());
    const channels = this.#channels.get(name) ?? new Set();
    this.#channels.set(name, channels.add(channel));
    return {
      post: (message) => {
        const clone: unknown = structuredClone(message);
        if (channel.isOpen && !tab.isGone)
          for (const other of channels) if (other !== channel) other.deliver(clone);
      },
      close: () => {
        channel.isOpen = false;
        channels.delete(channel);
      },
    };
  }

  request(
    tab: Tab,
    name: string,
    { signal, steal = false }: Parameters<Locks['request']>[1],
    granted: Request['granted'],
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const request: Request = { tab, granted, resolve, reject };
      const lock = this.#locks.get(name) ?? { holder: undefined, queue: [] };
      this.#locks.set(name, lock);
      const abort = () => {
        reject(signal?.reason);
        tab.ask(() => {
          const place = lock.queue.indexOf(request);
          if (place >= 0) lock.queue.splice(place, 1);
        });
      };
      if (signal?.aborted) {
        abort();
        return;
      }
      signal?.addEventListener('abort', abort);
      tab.ask(() => {
        if (steal) {
          const stolen = lock.holder;
          if (stolen !== undefined)
            stolen.tab.events.task('locks', () => stolen.reject(new DOMException('stolen', 'AbortError')));
          lock.holder = undefined;
          lock.queue.unshift(request);
        } else lock.queue.push(request);
        this.#grant(lock);
      });
    });
  }

  /** The tab has gone. */
  release(tab: Tab): void {
    for (const channels of this.#channels.values())
      for (const channel of channels) if (channel.tab === tab) channels.delete(channel);
    for (const lock of this.#locks.values()) {
      const waiting = lock.queue.filter((request) => request.tab !== tab);
      lock.queue.splice(0, lock.queue.length, ...waiting);
      if (lock.holder?.tab === tab) lock.holder = undefined;
      this.#grant(lock);
    }
  }

  #grant(lock: Lock): void {
    const request = lock.holder === undefined ? lock.queue.shift() : undefined;
    if (request === undefined) return;
    lock.holder = request;
    const { tab } = request;
    tab.events.task('locks', () => {
      void Promise.resolve(request.granted()).then((value) => {
        request.resolve(value as undefined);
        tab.ask(() => {
          if (lock.holder !== request) return;
          lock.holder = undefined;
          this.#grant(lock);
        });
      });
    });
  }
}

class Channel {
  readonly tab: Tab;
  isOpen = true;
  readonly #receive: (message: unknown) => void;
  readonly #pipe: (run: Run) => void;

  constructor(tab: Tab, receive: (message: unknown) => void, pipe: (run: Run) => void) {
    this.tab = tab;
    this.#receive = receive;
    this.#pipe = pipe;
  }

  deliver(message: unknown): void {
    this.#pipe(() =>
      this.tab.events.task(this, () => {
        if (this.isOpen) this.#receive(message);
      }),
    );
  }
}

/** A page in a tab: what happens to it, until it is gone. */
export class Tab {
  isGone = false;
  isHidden = false;
  /** In the cache for back and forward, or hidden for so long that the browser has stopped it. */
  isFrozen = false;
  #isCached = false;
  #isRunning = false;
  #waiting: { readonly source: unknown; readonly run: Run }[] = [];
  readonly #watchers = new Set<readonly [changed: Run, left: Run, back: Run]>();
  readonly #browser: Browser;
  readonly ask: (run: Run) => void;

  constructor(browser: Browser) {
    this.#browser = browser;
    const pipe = browser.pipe();
    this.ask = (run) =>
      pipe(() => {
        if (!this.isGone) run();
      });
  }

  /** It has events that do not take time. */
  get isBusy(): boolean {
    return !this.isFrozen && this.#waiting.length > 0;
  }

  readonly events: Events = {
    task: (source, run) => {
      if (this.isGone) return;
      this.#waiting.push({ source, run });
      void this.#runAll();
    },
  };

  get surroundings(): Surroundings {
    const { events } = this;
    return {
      locks: { request: (name, options, granted) => this.#browser.request(this, name, options, granted) },
      openChannel: (name, receive) => this.#browser.openChannel(this, name, receive),
      isHidden: () => this.isHidden,
      watch: (...watcher) => {
        this.#watchers.add(watcher);
        return () => this.#watchers.delete(watcher);
      },
      nextFrame: (run) => {
        if (this.isHidden) queueMicrotask(run);
        else this.#browser.after(this.#browser.draw(16), () => events.task('frames', run));
      },
      digest: async (text) => text,
    };
  }

  show(isShown: boolean): void {
    if (this.isHidden !== isShown || this.isFrozen) return;
    this.isHidden = !isShown;
    this.#tell(0);
  }

  freeze(): void {
    this.isFrozen = true;
  }

  /** What has come meanwhile comes in any order, but for that of each source. */
  thaw(): void {
    if (!this.isFrozen) return;
    this.isFrozen = false;
    const came = this.#waiting;
    const mixed: typeof came = [];
    while (came.length > 0) {
      const { source } = came[this.#browser.draw(came.length)] as { source: unknown };
      mixed.push(
        ...came.splice(
          came.findIndex((each) => each.source === source),
          1,
        ),
      );
    }
    if (this.#isCached)
      mixed.splice(this.#browser.draw(mixed.length + 1), 0, { source: this, run: () => this.#tell(2) });
    this.#isCached = false;
    this.#waiting = mixed;
    void this.#runAll();
  }

  /** The user goes to another page: this one is kept, for the way back, or goes. */
  leave(isKept: boolean): void {
    if (this.isFrozen) return;
    this.#tell(1);
    if (!isKept) this.kill();
    else this.#isCached = this.isFrozen = true;
  }

  /** It ends without a word. */
  kill(): void {
    this.isGone = true;
    this.#waiting = [];
    this.#browser.release(this);
  }

  #tell(event: 0 | 1 | 2): void {
    for (const watcher of [...this.#watchers]) watcher[event]();
  }

  /** One event after another, each with what its promises do. */
  async #runAll(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.isBusy) {
      this.#waiting.shift()?.run();
      await promises();
    }
    this.#isRunning = false;
  }
}
