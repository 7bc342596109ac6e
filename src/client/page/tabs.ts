import type { Runtime, TimerHandle } from '../runtime.ts';
import { sentBefore } from './calling.ts';
import type { Channel, OpenChannel } from './channel.ts';
import { Election, type Locks } from './election.ts';
import type { Host } from './host.ts';
import { type FromHost, live, plain, type ToHost } from './messages.ts';

export interface TabsOptions {
  /** Equal for tabs that share: made of the version, the URL and the identity. */
  readonly name: string;
  /** A leader that has not responded for this long is deposed. */
  readonly leaderTimeoutMs: number;
}

export interface TabsParts {
  readonly locks: Locks;
  readonly openChannel: OpenChannel;
  readonly runtime: Omit<Runtime, 'fetch' | 'watch'>;
}

export interface TabsPort {
  /** This tab holds the client from now on. `hostFor` is called for each tab that it serves. */
  lead(): void;
  hostFor(post: (message: FromHost) => void): Host;
  /** Another tab holds it, possibly another one than before; `post` reaches it. */
  follow(post: (message: ToHost) => void): void;
  /** A message of the tab that is followed. */
  receive(message: FromHost): void;
  /** This tab has lost the lead, and no other is known yet. */
  lost(): void;
}

type OnCommon =
  | { readonly kind: 'who' }
  | { readonly kind: 'leader'; readonly tab: string; readonly term: number };
interface Letter {
  readonly from: string;
  /** The term of the leader that writes it, or that it is for. */
  readonly term: number;
  /** By the wall clock, which the tabs share. */
  readonly atMs: number;
  readonly toHost?: ToHost;
  readonly fromHost?: FromHost;
}

/**
 * One client for all tabs of a browser: the tab that holds a lock leads, and the others send it their requests. Every
 * tab has a channel as its inbox. Every tab holds a lock of its own too, so that the leader notices when it is gone.
 */
export class Tabs {
  readonly #tab: string;
  readonly #common: Channel;
  readonly #inbox: Channel;
  readonly #outboxes = new Map<string, Channel>();
  readonly #hosts = new Map<string, Host>();
  readonly #election: Election;
  /** The id of the tab that leads, possibly this one. */
  #leader: string | undefined;
  /** Of that tab: a leader that was deposed and is elected again has forgotten whom it served. */
  #term = 0;
  /** How often this tab was elected. */
  #terms = 0;
  #heardAtMs: number;
  #unanswered = 0;
  #timer: TimerHandle | undefined;
  #isOver = false;
  /** Other tabs may know this one. */
  #isKnown = false;
  readonly #alive = new AbortController();
  readonly #options: TabsOptions;
  readonly #parts: TabsParts;
  readonly #port: TabsPort;

  constructor(options: TabsOptions, parts: TabsParts, port: TabsPort) {
    const { name } = options;
    this.#options = options;
    this.#parts = parts;
    this.#port = port;
    this.#tab = parts.runtime.random().toString(36).slice(2) + parts.runtime.random().toString(36).slice(2);
    this.#heardAtMs = parts.runtime.monotonicMs();
    this.#common = parts.openChannel(name, (message) => this.#heardCommon(message as OnCommon));
    this.#inbox = parts.openChannel(`${name}/${this.#tab}`, (message) => this.#heard(message as Letter));
    this.#election = new Election(parts.locks, `${name}/leader`, {
      elected: () => this.#elected(),
      deposed: () => this.#deposed(),
    });
    this.#holdLife(() => {
      this.#isKnown = true;
      this.#common.post({ kind: 'who' } satisfies OnCommon);
      this.#election.stand();
      this.#watch();
    });
  }

  get leads(): boolean {
    return this.#leader === this.#tab;
  }

  /** Tells all pages that this tab serves. */
  tellAll(message: FromHost): void {
    for (const host of this.#hosts.values()) host.tell(message);
  }

  close(): void {
    this.#isOver = true;
    if (this.#leader !== undefined && !this.leads) this.#write(this.#leader, this.#term, { kind: 'bye' });
    this.#endHosts();
    this.#alive.abort();
    this.#election.withdraw();
    this.#parts.runtime.clearTimeout(this.#timer as TimerHandle);
    for (const channel of [this.#common, this.#inbox, ...this.#outboxes.values()]) channel.close();
  }

  // -- who leads --------------------------------------------------------------------------------------

  #elected(): void {
    if (this.#isOver) return;
    this.#leader = this.#tab;
    this.#term = ++this.#terms;
    this.#port.lead();
    this.#announce();
  }

  #announce(): void {
    this.#common.post({ kind: 'leader', tab: this.#tab, term: this.#term } satisfies OnCommon);
  }

  #deposed(): void {
    if (this.#isOver) return;
    this.#endHosts();
    this.#leader = undefined;
    this.#heardAtMs = this.#parts.runtime.monotonicMs();
    this.#port.lost();
    this.#common.post({ kind: 'who' } satisfies OnCommon);
    this.#election.stand();
  }

  #heardCommon(message: OnCommon): void {
    if (message.kind === 'who') {
      if (this.leads) this.#announce();
      return;
    }
    const { tab, term } = message;
    // A leader learns from its lock, not from other tabs, that it was deposed.
    if (!this.#isKnown || this.leads || (tab === this.#leader && term <= this.#term)) return;
    this.#leader = tab;
    this.#term = term;
    this.#heardNow();
    this.#port.follow((request) => this.#write(tab, term, request));
  }

  /**
   * Holds a lock as long as this tab lives, so that a tab that waits for the lock notices its end. Calls `begin` once
   * the lock is held: before, another tab that knew this one could get it first.
   */
  #holdLife(begin: () => void): void {
    const { signal } = this.#alive;
    const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    void this.#parts.locks.request(`${this.#options.name}/${this.#tab}`, {}, () => {
      if (this.#isOver) return undefined;
      begin();
      return ended;
    });
  }

  // -- letters ----------------------------------------------------------------------------------------

  #heard({ from, term, atMs, toHost, fromHost }: Letter): void {
    if (toHost !== undefined && this.leads) {
      if (term === this.#term) this.#hostOf(from).receive(this.#withAge(toHost, atMs));
      else this.#announce();
    }
    // Messages of a deposed leader come too late.
    if (fromHost === undefined || from !== this.#leader || term !== this.#term) return;
    this.#heardNow();
    this.#port.receive(live(fromHost));
  }

  /** While this tab was frozen, another may have taken the lead and been asked the same. */
  #withAge(toHost: ToHost, atMs: number): ToHost {
    const ageMs = this.#parts.runtime.now() - atMs;
    if (toHost.kind !== 'call' || ageMs < this.#options.leaderTimeoutMs) return toHost;
    return { ...toHost, args: sentBefore(toHost.name, toHost.args, ageMs) };
  }

  #hostOf(tab: string): Host {
    const existing = this.#hosts.get(tab);
    if (existing) return existing;
    const term = this.#term;
    const host = this.#port.hostFor((fromHost) => {
      // A reply to a tab that is gone must not open its channel again.
      if (this.#hosts.has(tab)) this.#post(tab, term, { fromHost: plain(fromHost) });
    });
    this.#hosts.set(tab, host);
    const { signal } = this.#alive;
    this.#parts.locks
      .request(`${this.#options.name}/${tab}`, { signal }, () => {
        this.#hosts.get(tab)?.close();
        this.#hosts.delete(tab);
        this.#outboxes.get(tab)?.close();
        this.#outboxes.delete(tab);
        return undefined;
      })
      // This tab ended first.
      .catch(() => undefined);
    return host;
  }

  #write(tab: string, term: number, toHost: ToHost): void {
    this.#post(tab, term, { toHost });
  }

  #post(tab: string, term: number, content: Pick<Letter, 'toHost'> | Pick<Letter, 'fromHost'>): void {
    const atMs = this.#parts.runtime.now();
    this.#outboxOf(tab).post({ from: this.#tab, term, atMs, ...content } satisfies Letter);
  }

  #outboxOf(tab: string): Channel {
    const existing = this.#outboxes.get(tab);
    if (existing) return existing;
    const channel = this.#parts.openChannel(`${this.#options.name}/${tab}`, () => undefined);
    this.#outboxes.set(tab, channel);
    return channel;
  }

  #endHosts(): void {
    for (const host of this.#hosts.values()) host.close();
    this.#hosts.clear();
  }

  // -- whether the leader is there --------------------------------------------------------------------

  #heardNow(): void {
    this.#heardAtMs = this.#parts.runtime.monotonicMs();
    this.#unanswered = 0;
  }

  /**
   * Asks the leader three times within the timeout. A message wakes a hidden tab, whose timers are slow, but not a
   * frozen one. Questions are counted, so that a follower that was frozen itself asks again when it wakes.
   */
  #watch(): void {
    const { runtime } = this.#parts;
    const { leaderTimeoutMs } = this.#options;
    this.#timer = runtime.setTimeout(() => {
      if (this.#isOver) return;
      if (!this.leads) this.#ask();
      this.#watch();
    }, leaderTimeoutMs / 3);
  }

  #ask(): void {
    const { runtime } = this.#parts;
    const silentMs = runtime.monotonicMs() - this.#heardAtMs;
    // Several followers may notice at once. A random number of questions lets one take over first; the others follow
    // it.
    if (
      this.#unanswered >= 3 + Math.floor(runtime.random() * 3) &&
      silentMs >= this.#options.leaderTimeoutMs
    ) {
      this.#heardNow();
      this.#leader = undefined;
      this.#election.steal();
      return;
    }
    this.#unanswered++;
    if (this.#leader === undefined) this.#common.post({ kind: 'who' } satisfies OnCommon);
    else this.#write(this.#leader, this.#term, { kind: 'ping' });
  }
}
