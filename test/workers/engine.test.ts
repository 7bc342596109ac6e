import { describe, expect, test, vi } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import type { Engine } from '../../src/topics/engine.ts';
import type { WorkerEngine } from '../../src/workers/worker-engine.ts';
import { request, ring } from '../engines/contract/harness.ts';
import { engineContract } from '../engines/contract.ts';
import { makeParent } from './fixtures.ts';

/** A worker whose parent forgets a topic when the worker does, and tells it at once. */
function togetherWith(parent: MemoryEngine, worker: WorkerEngine): Engine {
  const ownForget = worker.forget.bind(worker);
  worker.forget = (topic) => {
    if (!parent.forget(topic)) return false;
    void worker.news.forgotten([topic, parent.forgottenSeq]);
    return ownForget(topic);
  };
  return Object.defineProperty(worker, 'messageIdBytes', { get: () => parent.messageIdBytes });
}

engineContract(
  'a worker, whose engine is in the parent process',
  () =>
    async ({ nowMs, ring: limits, isState, numberingsMax, messageIds, acknowledged }) => {
      const engine = new MemoryEngine({ nowMs, isState, numberingsMax, messageIds, acknowledged });
      const topic = { ...limits, ttlMs: undefined };
      const parent = await makeParent({ engine, topic, isState, nowMs, keepsTopics: false });
      return togetherWith(engine, parent.join({ numberingsMax, acknowledged }).worker);
    },
);

class Feed {
  readonly heard: string[] = [];
  appended = (topic: string, _: string, publications: readonly { readonly offset: number }[]) => {
    for (const { offset } of publications) this.heard.push(`${topic} ${offset}`);
  };
  reset = (topic: string, _: string, offset: number) => this.heard.push(`${topic} reset ${offset}`);
  missed = () => this.heard.push('missed some');
  degraded = (cause: Error | undefined) => this.heard.push(cause?.message ?? 'up');
}

async function twoWorkers() {
  const clock = { nowMs: 1000 };
  const nowMs = () => clock.nowMs;
  const isState = (topic: string) => topic.startsWith('state');
  const engine = new MemoryEngine({ isState, nowMs });
  const parent = await makeParent({ engine, topic: { ...ring, ttlMs: undefined }, isState, nowMs });
  const open = async () => {
    const { worker, leave } = parent.join();
    const feed = new Feed();
    await worker.open(feed);
    return { worker, feed, leave };
  };
  return { engine, parent, open, clock, first: await open() };
}

describe('workers of one parent', () => {
  test('hear what any of them appends, in one order', async () => {
    const { first, open } = await twoWorkers();
    const second = await open();
    const requests = Array.from({ length: 20 }, (_, i) =>
      (i % 2 === 0 ? first : second).worker.append([request('a')]),
    );
    const outcomes = (await Promise.all(requests)).flat();
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    const inOrder = Array.from({ length: 20 }, (_, i) => `a ${i + 1}`);
    expect([first.feed.heard, second.feed.heard]).toEqual([inOrder, inOrder]);
  });

  test('load what was there before, and hear only what came later', async () => {
    const { first, open } = await twoWorkers();
    await first.worker.append([request('a'), request('a'), request('state', { key: 'k' }), request('b')]);
    const late = await open();
    expect([...late.worker.names()].sort()).toEqual(['a', 'b', 'state']);
    await first.worker.append([request('a'), request('new')]);
    // What the broker has not loaded it is not told of.
    expect(late.feed.heard).toEqual([]);
    const loaded = await Promise.all(['a', 'b', 'state'].map((name) => late.worker.load(name)));
    expect(loaded.map((stored) => stored?.offset)).toEqual([2, 1, 1]);
    expect(loaded[2]?.state.map(({ key }) => key)).toEqual(['k']);
    expect(late.worker.seq).toBe(4);
    await expect.poll(() => late.feed.heard).toEqual(['a 3', 'new 1']);
    expect([late.worker.seq, late.worker.retains]).toEqual([6, false]);
    expect(await late.worker.load('new')).toBeUndefined();
  });

  test('know what users have acknowledged, also what was before they joined', async () => {
    const { first, open } = await twoWorkers();
    const [outcome] = await first.worker.append([request('a')]);
    const position = { epoch: outcome?.ok ? outcome.epoch : '', offset: 1 };
    first.worker.acknowledged.set('a', 'alice', position);
    const second = await open();
    expect(second.worker.acknowledged.get('a', 'alice')).toEqual(position);
    second.worker.acknowledged.set('a', 'bob', position);
    await expect.poll(() => first.worker.acknowledged.get('a', 'bob')).toEqual(position);
    expect(second.worker.acknowledged.count).toBe(2);
  });

  test('forget a topic once the parent has, and continue its numbering, as do those that join then', async () => {
    const { first, parent, clock, open } = await twoWorkers();
    await first.worker.append([request('a'), request('a')]);
    expect(first.worker.forget('a')).toBe(false);
    clock.nowMs += ring.maxAgeMs + 1;
    parent.broker.sweep();
    await expect.poll(() => first.worker.forget('a')).toBe(true);
    const late = await open();
    for (const { worker } of [first, late])
      expect(worker.numbering('a')).toMatchObject({ offset: 2, seq: 2 });
    expect([...late.worker.names()]).toEqual([]);
    await first.worker.append([request('a')]);
    expect(first.feed.heard.at(-1)).toBe('a 3');
    expect(first.worker.numbering('a')).toBeUndefined();
  });

  test('hear that the engine is degraded, also when they join then', async () => {
    const { first, parent, open } = await twoWorkers();
    parent.hub.feedOf(parent.broker).degraded(new Error('the disk is full'));
    await expect.poll(() => first.feed.heard).toEqual(['the disk is full']);
    const late = await open();
    expect(late.feed.heard).toEqual(['the disk is full']);
    // Else each publish would be tried for a second.
    expect([first.worker.isAway, late.worker.isAway]).toEqual([true, true]);
    parent.hub.feedOf(parent.broker).degraded(undefined);
    await expect.poll(() => [first.feed.heard.at(-1), first.worker.isAway]).toEqual(['up', false]);
  });

  test('hear of lost commits in order, and judge cursors by them from then on, but make none of them before', async () => {
    const { first, parent } = await twoWorkers();
    const feed = parent.hub.feedOf(parent.broker);
    const before = first.worker.epoch;
    const made: string[] = [];
    const missed = first.feed.missed;
    first.feed.missed = () => {
      made.push(first.worker.epoch);
      return missed();
    };
    feed.missed?.({ epoch: 'another', forgottenSeq: 7 });
    feed.reset('a', '', 0);
    await expect.poll(() => first.feed.heard).toEqual(['missed some', 'a reset 0']);
    expect(made).toEqual([before]);
    expect([first.worker.epoch, first.worker.forgottenSeq]).toEqual(['another', 7]);
  });

  test('hear up to which commit a topic that is replaced goes on, as their parent does', async () => {
    const { first, parent } = await twoWorkers();
    await first.worker.append([request('a'), request('a'), request('a')]);
    const stored = {
      epoch: 'new',
      offset: 3,
      seq: 3,
      bornAfterSeq: 0,
      evictedSeq: 0,
      state: [],
      publications: [...(parent.broker.find('a')?.ring.slice(0) ?? [])],
    };
    const reset = vi.spyOn(first.feed, 'reset');
    parent.hub.feedOf(parent.broker).reset('a', 'new', 3, stored, 1);
    await expect.poll(() => reset.mock.calls).toMatchObject([['a', 'new', 3, { epoch: 'new' }, 1]]);
    expect(parent.broker.find('a')?.startOffset).toBe(1);
  });

  test('that lose their parent refuse appends, also those under way, which may be tried again', async () => {
    const { first } = await twoWorkers();
    const underWay = first.worker.append([request('a')]);
    first.leave();
    for (const outcomes of [await underWay, await first.worker.append([request('a')])])
      expect(outcomes).toMatchObject([{ error: { code: 'engine_unavailable' } }]);
  });
});
