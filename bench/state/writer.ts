import { setTimeout } from 'node:timers/promises';
import { HttpPool } from '../support/http-pool.ts';
import { pace } from '../support/pacer.ts';
import { keys, longestTtlMs, topics, type Value } from './plan.ts';

const retryDelayMs = 100;
const tryForMs = 60_000;
const connections = 32;
const removedShare = 0.15;
const expiringShare = 0.2;
const fatShare = 0.1;

/** The newest that was acknowledged of a key. */
interface Newest {
  readonly value: Value;
  /** It is removed, or ends by itself. */
  readonly ends: boolean;
}

/**
 * Sets and removes keys, one operation a key at a time, so that the last acknowledged one is the newest. Tries again
 * whatever happens to the gateway.
 */
export class Writer {
  acknowledged = 0;
  retries = 0;
  readonly refused: string[] = [];
  readonly #pools: readonly HttpPool[];
  readonly #random: () => number;
  readonly #runId = `${process.pid}-${Date.now()}`;
  readonly #newest = new Map<string, Newest>();
  readonly #busy = new Set<string>();
  #serial = 0;

  constructor(ports: readonly number[], random: () => number) {
    this.#pools = ports.map((port) => new HttpPool(port, connections));
    this.#random = random;
  }

  /** Resolves when all is acknowledged. */
  async write(rate: number, seconds: number): Promise<void> {
    const all: Promise<void>[] = [];
    await pace(rate, seconds, () => {
      const topic = this.#pick(topics);
      const key = this.#pick(keys);
      const place = `${topic} ${key}`;
      if (this.#busy.has(place)) return;
      this.#busy.add(place);
      all.push(this.#operate(topic, key).finally(() => this.#busy.delete(place)));
    });
    await Promise.all(all);
  }

  /** What there must be of a topic once everything that ends has ended. */
  expected(topic: string): Map<string, Value> {
    const values = new Map<string, Value>();
    for (const key of keys) {
      const newest = this.#newest.get(`${topic} ${key}`);
      if (newest !== undefined && !newest.ends) values.set(key, newest.value);
    }
    return values;
  }

  close(): void {
    for (const pool of this.#pools) pool.close();
  }

  async #operate(topic: string, key: string): Promise<void> {
    const n = this.#serial++;
    const tags: Record<string, string> = { load: String(Math.floor(this.#random() * 10)) };
    const level = this.#pick(['high', 'low', 'middle', undefined]);
    if (level !== undefined) tags['level'] = level;
    if (this.#random() < 0.1) tags['alarm'] = 'yes';
    const pick = this.#random();
    const removed = pick < removedShare;
    const expires = !removed && pick < removedShare + expiringShare;
    const pad = 'x'.repeat(this.#random() < fatShare ? 6000 : 200);
    const body = JSON.stringify({
      topic,
      key,
      tags,
      type: 'set',
      messageId: `${this.#runId}-${n}`,
      data: { n, pad },
      ...(removed && { removed }),
      ...(expires && { ttlMs: 100 + Math.floor(this.#random() * (longestTtlMs - 100)) }),
    });
    if (!(await this.#publish(body, n))) return;
    this.#newest.set(`${topic} ${key}`, {
      value: { n, tags },
      ends: removed || expires || topic.startsWith('t:'),
    });
  }

  async #publish(body: string, first: number): Promise<boolean> {
    const untilMs = performance.now() + tryForMs;
    for (let tries = first; ; tries++) {
      const pool = this.#pools[tries % this.#pools.length] as HttpPool;
      const answer = await pool.post('/api/publish', body).catch((error: Error) => error);
      if (!(answer instanceof Error) && answer.status === 200) {
        this.acknowledged++;
        return true;
      }
      const isFinal = !(answer instanceof Error) && answer.status < 500 && answer.status !== 429;
      if (isFinal || performance.now() > untilMs) {
        this.refused.push(answer instanceof Error ? answer.message : `${answer.status} ${answer.body}`);
        return false;
      }
      this.retries++;
      await setTimeout(retryDelayMs);
    }
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}
