import type { NodeCounts } from '../../topics/engine.ts';
import type { KeyCount, Server } from './server.ts';

/** Changes are reported within this time: a storm of connections of one key is reported once. */
const tellWithinMs = 50;
/** How many keys one script takes, so that others get their turn. */
const keysAtOnce = 500;

/** One key, as this node counts it. */
interface Count {
  count: number;
  limit: number;
  /** The count that the server knows. */
  told: number;
}

/**
 * Counts of all gateways of one Redis. Each reports its own as they change, and learns the totals of those keys that
 * have reached their limit. These are few: each such key holds as many of the counted things as its limit.
 */
export class RedisCounts implements NodeCounts {
  readonly #node: string;
  readonly #own = new Map<string, Count>();
  readonly #changed = new Set<string>();
  /** What all nodes have together, by keys that are full. */
  #full: ReadonlyMap<string, number> = new Map();
  #version = '';
  #server: Server | undefined;
  #isAway = true;
  #telling: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(node: string) {
    this.#node = node;
  }

  set(key: string, count: number, limit: number): void {
    if (this.#isAway && count === 0) {
      this.#forget(key);
      return;
    }
    const own = this.#own.get(key);
    if (own === undefined) this.#own.set(key, { count, limit, told: 0 });
    else Object.assign(own, { count, limit });
    this.#changed.add(key);
    this.#timer ??= setTimeout(() => void this.refresh(), tellWithinMs).unref();
  }

  elsewhere(key: string): number {
    const total = this.#full.get(key);
    return total === undefined ? 0 : Math.max(0, total - (this.#own.get(key)?.told ?? 0));
  }

  async refresh(): Promise<void> {
    // A report that is under way may have read older counts.
    await this.#telling?.catch(() => undefined);
    // A failed connection is noticed where the log is read.
    await this.#tell().catch(() => undefined);
  }

  /** The server knows this node from now on, with counts that may be outdated: all are reported. */
  async joined(server: Server): Promise<void> {
    this.#isAway = false;
    await this.#tellAnew(server);
    this.#server = server;
  }

  /** The server is away: each node knows its own counts only. */
  lost(): void {
    this.#isAway = true;
    this.#server = undefined;
    this.#full = new Map();
    for (const [key, { count }] of this.#own) if (count === 0) this.#forget(key);
  }

  /** Call it once a second. Takes back the counts of nodes that are gone. Rejects if the server can't be reached. */
  async heartbeat(): Promise<void> {
    const server = this.#server;
    await this.#tell();
    const dead = (await server?.silent()) ?? [];
    for (const node of dead) while (await server?.bury(node));
  }

  /** This node ends, and with it its counts. */
  async leave(): Promise<void> {
    const server = this.#server;
    this.lost();
    clearTimeout(this.#timer);
    await this.#telling?.catch(() => undefined);
    while (await server?.bury(this.#node, 'own'));
  }

  /** Tells what has changed, and learns which keys are full. */
  #tell(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const server = this.#server;
    if (server === undefined) return Promise.resolve();
    this.#telling ??= this.#tellAll(server).finally(() => {
      this.#telling = undefined;
    });
    return this.#telling;
  }

  async #tellAnew(server: Server): Promise<void> {
    while (await server.bury(this.#node, 'own'));
    for (const [key, each] of this.#own) {
      each.told = 0;
      this.#changed.add(key);
    }
    this.#version = '';
    await this.#tellAll(server, 'anew');
  }

  async #tellAll(server: Server, anew?: 'anew'): Promise<void> {
    let how = anew;
    do {
      const counts = this.#take();
      const fullKeys = await server.count(this.#node, counts, this.#version, how).catch((error: unknown) => {
        for (const [key] of counts) this.#changed.add(key);
        throw error;
      });
      if (fullKeys === undefined) {
        if (this.#server === server) await this.#tellAnew(server);
        return;
      }
      how = undefined;
      for (const [key, count] of counts) this.#toldOf(key, count);
      if (fullKeys.full !== undefined) this.#full = fullKeys.full;
      this.#version = fullKeys.version;
    } while (this.#changed.size > 0);
  }

  #forget(key: string): void {
    this.#own.delete(key);
    this.#changed.delete(key);
  }

  #take(): KeyCount[] {
    const counts: KeyCount[] = [];
    for (const key of this.#changed) {
      this.#changed.delete(key);
      const own = this.#own.get(key);
      if (own !== undefined && counts.push([key, own.count, own.limit]) === keysAtOnce) break;
    }
    return counts;
  }

  #toldOf(key: string, count: number): void {
    const own = this.#own.get(key);
    if (own === undefined) return;
    own.told = count;
    if (own.count === 0 && count === 0) this.#own.delete(key);
  }
}
