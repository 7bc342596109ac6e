import { beforeEach, describe, expect, test } from 'vitest';
import { appendAll } from '../../../src/engines/lmdb/append-batch.ts';
import type { Retention, TopicHead } from '../../../src/engines/lmdb/head.ts';
import { topicRange } from '../../../src/engines/lmdb/keys.ts';
import { findWork, sweep } from '../../../src/engines/lmdb/retention.ts';
import { Store } from '../../../src/engines/lmdb/store.ts';
import { Topics } from '../../../src/engines/lmdb/topics.ts';
import type { PublishFields } from '../../../src/protocol/frames.ts';
import { messageIdWindowMs } from '../../../src/topics/message-id-budget.ts';
import { StoredPublication } from '../../../src/topics/publication.ts';
import { range } from '../../support/numbers.ts';
import { ofTest } from '../../support/opened.ts';
import { newFolder } from '../../support/temporary.ts';
import { fields } from '../../topics/fixtures.ts';
import { offsets, retention } from './fixtures.ts';

const enough = 2 ** 40;
/** What one publication of these tests costs. */
const cost = new StoredPublication(fields('t'), 1, 1, 0, 0).bytes;

/** The store and its topics, without the engine's turns and timers. */
class TopicStore {
  readonly #store = new Store(newFolder(), false);
  nowMs = 1_000_000;
  topics: Topics;
  readonly limits: Retention;

  readonly #numberingsMax: number | undefined;

  constructor(limits: Partial<Retention>, numberingsMax?: number) {
    this.limits = { ...retention, ...limits };
    this.#numberingsMax = numberingsMax;
    this.topics = new Topics(this.#store, () => this.limits, numberingsMax);
  }

  async append(count: number, more: Partial<PublishFields> = {}, topic = 't'): Promise<void> {
    const requests = Array.from({ length: count }, () => ({
      fields: fields(topic, more),
      publishedAtMs: this.nowMs,
      acceptedAtMs: 0,
    }));
    await this.#store.commit(() => appendAll(this.topics, requests, this.nowMs));
  }

  /** Until nothing is left to do; returns how many transactions that took. */
  async sweep(totalMaxBytes = enough): Promise<number> {
    for (let steps = 0; ; steps++) {
      const work = findWork(this.topics, totalMaxBytes, this.nowMs);
      if (work === undefined) return steps;
      await this.#store.commit(() => sweep(this.topics, work, totalMaxBytes, this.nowMs));
    }
  }

  reread(limits = this.limits): void {
    this.topics = new Topics(this.#store, () => limits, this.#numberingsMax);
  }

  head(topic = 't'): TopicHead {
    return this.topics.find(topic) as TopicHead;
  }

  /** As the engine does when its node gives a topic back. */
  async forget(topic: string): Promise<void> {
    const head = this.head(topic);
    this.topics.forget(head);
    await this.#store.commit(() => this.topics.putIdle(head));
  }

  /** What a node is given. */
  read(topic = 't'): number[] {
    return offsets(this.topics.read(this.head(topic), this.nowMs));
  }

  stored(kind: 'publication' | 'state' | 'messageId', number = this.head().number): number {
    return this.#store.keys(topicRange(kind, number)).length;
  }

  commit(work: () => void): Promise<void> {
    return this.#store.commit(work);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

let kept: TopicStore;
const using = (limits: Partial<Retention> = {}, numberingsMax?: number) => {
  kept = ofTest(new TopicStore(limits, numberingsMax));
  return kept;
};
beforeEach(() => void using());

describe('retention', () => {
  test.each([
    [9, range(0, 9)],
    [10, range(0, 10)],
    [11, range(1, 11)],
    [200, range(190, 200)],
  ])('of 10: a node is given the newest after %i publications', async (count, expected) => {
    const { limits } = using({ maxPublications: 10 });
    await kept.append(count);
    expect(kept.read()).toEqual(expected);
    expect(kept.stored('publication')).toBeLessThanOrEqual(limits.maxPublications + 16);
    kept.reread();
    expect(kept.read()).toEqual(expected);
  });

  test.each([
    [-1, range(1, 4)],
    [0, range(0, 4)],
    [1, range(0, 4)],
  ])(
    'of the bytes of four publications and %i: a node is given the newest that fit',
    async (more, expected) => {
      using({ maxBytes: 4 * cost + more });
      await kept.append(4);
      expect(kept.read()).toEqual(expected);
    },
  );

  test('by bytes keeps the newest, however large it is, and the store bounded', async () => {
    using({ maxBytes: 10 });
    for (let i = 0; i < 40; i++) await kept.append(1);
    expect([kept.read(), kept.stored('publication')]).toEqual([[40], 1]);
  });

  test('by age: a node is given what is exactly as old as allowed, and not what is older', async () => {
    using({ maxAgeMs: 1000 });
    await kept.append(2);
    kept.nowMs += 400;
    await kept.append(1);
    kept.nowMs += 600;
    expect(kept.read()).toEqual([1, 2, 3]);
    kept.nowMs += 1;
    expect(kept.read()).toEqual([3]);
    await kept.sweep();
    expect([kept.stored('publication'), kept.head().reach]).toEqual([1, 2]);
    kept.nowMs += 1000;
    await kept.sweep();
    expect([kept.read(), kept.stored('publication'), kept.head().offset]).toEqual([[], 0, 3]);
  });

  test('a sweep works in bounded steps, and finds nothing to do afterwards', async () => {
    using({ maxAgeMs: 1000, maxPublications: 10_000 });
    for (let i = 0; i < 5; i++) await kept.append(500);
    kept.nowMs += 1001;
    expect(await kept.sweep()).toBe(3);
    expect(await kept.sweep()).toBe(0);
    expect(kept.topics.bytes).toBe(0);
  });

  test('over the total, the rings of the longest idle topics go; offsets stay', async () => {
    for (const topic of ['idle', 'used', 'busy']) await kept.append(10, {}, topic);
    await kept.append(1, {}, 'idle');
    await kept.sweep(25 * cost);
    expect(['idle', 'used', 'busy'].map((topic) => kept.read(topic).length)).toEqual([11, 0, 10]);
    kept.reread();
    expect(kept.head('used').offset).toBe(10);
    expect(kept.topics.bytes).toBe(21 * cost);
  });

  test('what retention took is not numbered again', async () => {
    using({ maxAgeMs: 10 });
    await kept.append(3);
    kept.nowMs += 100;
    await kept.sweep();
    kept.reread();
    await kept.append(1);
    expect(kept.read()).toEqual([4]);
  });

  test('the store does not grow without end', async () => {
    using({ maxPublications: 50, mode: 'state' });
    for (let i = 0; i < 100; i++) await kept.append(50, { key: `k${i % 7}`, messageId: undefined });
    expect(kept.stored('publication')).toBeLessThanOrEqual(66);
    expect(kept.stored('state')).toBe(7);
  });
});

describe('message ids', () => {
  const publishIds = async (from: number, count: number) => {
    for (let i = from; i < from + count; i++) await kept.append(1, { messageId: `m${i}` });
  };

  test('leave the store when they leave the window', async () => {
    await publishIds(0, 5);
    kept.nowMs += messageIdWindowMs - 1;
    await kept.sweep();
    expect(kept.stored('messageId')).toBe(5);
    kept.nowMs += 1;
    await kept.sweep();
    expect(kept.stored('messageId')).toBe(0);
  });

  test('leave the store while others come', async () => {
    await publishIds(0, 200);
    kept.nowMs += messageIdWindowMs;
    await publishIds(200, 2);
    expect(kept.stored('messageId')).toBe(2);
  });

  test('are all kept within the window, and known again after a restart', async () => {
    const requests = Array.from({ length: 10_500 }, (_, i) => ({
      fields: fields('t', { messageId: `m${i}` }),
      publishedAtMs: 0,
      acceptedAtMs: 0,
    }));
    for (let at = 0; at < requests.length; at += 500)
      await kept.commit(() => appendAll(kept.topics, requests.slice(at, at + 500), kept.nowMs));
    expect(kept.stored('messageId')).toBe(10_500);
    kept.reread();
    expect(kept.topics.messageIds(kept.head(), kept.nowMs).size).toBe(10_500);
    expect(kept.topics.messageIds(kept.head(), kept.nowMs + messageIdWindowMs - 1).size).toBe(10_500);
    kept.reread();
    expect(kept.topics.messageIds(kept.head(), kept.nowMs + messageIdWindowMs).size).toBe(0);
  });
});

describe('the newest commit that is no longer kept', () => {
  const evictedSeq = () => kept.topics.read(kept.head(), kept.nowMs).evictedSeq;

  test.each([false, true])('is the one before what a node is given (restarted: %s)', async (restarted) => {
    using({ maxPublications: 10, maxAgeMs: 1000 });
    await kept.append(10);
    expect(evictedSeq()).toBe(0);
    // Within the slack the store keeps more than a node is given.
    await kept.append(5);
    if (restarted) kept.reread();
    expect([kept.stored('publication'), evictedSeq()]).toEqual([15, 5]);
    kept.nowMs += 1001;
    await kept.sweep();
    if (restarted) kept.reread();
    expect([kept.stored('publication'), evictedSeq()]).toEqual([0, 15]);
  });
});

describe('leftovers', () => {
  test('of a topic whose numbering was dropped are not those of a later topic', async () => {
    using({}, 0);
    await kept.append(3, {}, 'old');
    await kept.forget('old');
    kept.reread();
    await kept.append(2, {}, 'new');
    await kept.sweep();
    kept.reread();
    expect([kept.topics.names(), kept.read('new')]).toEqual([['new'], [1, 2]]);
  });

  test('a topic that has content again stays when its old numbering is dropped', async () => {
    using({}, 1);
    await kept.append(1, {}, 'again');
    await kept.forget('again');
    await kept.append(1, {}, 'again');
    await kept.append(1, {}, 'other');
    await kept.forget('other');
    kept.reread();
    expect([kept.topics.names(), kept.read('again')]).toEqual([['again'], [2]]);
  });

  test('a forgotten topic is deleted in bounded steps, also after a restart', async () => {
    using({ maxPublications: 5000, mode: 'state' });
    for (let i = 0; i < 4; i++) await kept.append(500, { key: `k${i}` });
    await kept.append(1, { messageId: 'm' });
    const head = kept.head();
    kept.topics.forget(head);
    await kept.commit(() => kept.topics.putIdle(head));
    kept.reread();
    expect([kept.topics.names(), kept.topics.bytes, kept.topics.gone]).toEqual([[], 0, [head.number]]);
    await kept.append(1);
    expect(kept.head().number).toBeGreaterThan(head.number);
    expect(kept.head()).toMatchObject({ epoch: head.epoch, offset: 2002 });
    expect(await kept.sweep()).toBeGreaterThan(2);
    const left = (['publication', 'state', 'messageId'] as const).map((kind) =>
      kept.stored(kind, head.number),
    );
    expect([left, kept.topics.gone, kept.read()]).toEqual([[0, 0, 0], [], [2002]]);
  });

  test('a topic that is no state any more loses its state, and does not find it again', async () => {
    using({ mode: 'state' });
    await kept.append(1, { key: 'k' });
    kept.reread({ ...kept.limits, mode: 'stream' });
    expect(kept.topics.read(kept.head(), kept.nowMs).state).toEqual([]);
    await kept.sweep();
    expect(kept.stored('state')).toBe(0);
    kept.reread();
    expect(kept.topics.read(kept.head(), kept.nowMs)).toMatchObject({ state: [], offset: 1 });
  });

  test('a topic that is a state again, before its old one was deleted, has the values of its history alone', async () => {
    using({ mode: 'state', maxPublications: 1 });
    await kept.append(1, { key: 'old' });
    kept.reread({ ...kept.limits, mode: 'stream' });
    await kept.append(200, { key: 'new' });
    kept.reread();
    const [head] = kept.topics.missingStates as [TopicHead];
    await kept.commit(() => kept.topics.putState(head));
    expect(kept.topics.read(head, kept.nowMs).state.map(({ key }) => key)).toEqual(['new']);
  });
});
