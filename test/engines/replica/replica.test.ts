import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ReplicaEngine } from '../../../src/engines/replica/engine.ts';
import type { Batch } from '../../../src/engines/replica/upstream.ts';
import { messageIdBytes } from '../../../src/topics/message-id-budget.ts';
import { upTo } from '../../support/numbers.ts';
import { request } from '../contract/harness.ts';
import { openNode, ScriptedUpstream, succeeded } from './scripted.ts';

const codesOf = (outcomes: readonly { ok: boolean; error?: { code: string } }[]) =>
  outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error?.code));

describe('what a node hears', () => {
  test('comes in the order of the commits over all topics, runs of one topic together', async () => {
    const { upstream, engine, heard } = await openNode();
    upstream.publish('a a b a b b');
    upstream.tell(0, 1);
    upstream.tell(1);
    expect(heard).toEqual(['a 1-1', 'a 2-2', 'b 1-1', 'a 3-3', 'b 2-3']);
    expect(engine.seq).toBe(6);
  });

  test('is told once, though it is told again', async () => {
    const { upstream, heard } = await openNode();
    upstream.publish('a a a');
    upstream.tell(0, 2);
    upstream.tell(0);
    expect(heard).toEqual(['a 1-2', 'a 3-3']);
  });

  test('is filled where something is missing, in the order of the commits, before anything new', async () => {
    const { upstream, heard } = await openNode();
    upstream.publish('a b');
    upstream.tell(0);
    upstream.publish('a b a c');
    await upstream.show();
    upstream.publish('a');
    upstream.tell(6);
    expect(heard).toEqual(['a 1-1', 'b 1-1', 'a 2-2', 'b 2-2', 'a 3-3', 'c 1-1', 'a 4-4']);
    expect(upstream.loaded.sort()).toEqual(['a', 'b', 'c']);
  });

  test('names what is missing and no longer kept, and goes on with what there is', async () => {
    const { upstream, heard } = await openNode();
    upstream.publish('a b');
    upstream.tell(0);
    upstream.publish('a a a b');
    upstream.keptFrom.set('a', 4);
    await upstream.show();
    upstream.publish('a');
    upstream.tell(6);
    expect(heard).toEqual(['a 1-1', 'b 1-1', 'b 2-2', 'reset a 4 with 4-4', 'a 5-5']);
  });

  test('names what came and went while it missed that, and goes on with what comes', async () => {
    const { upstream, engine, heard } = await openNode();
    upstream.publish('a a b');
    upstream.idle.add('a');
    await upstream.show();
    expect([heard, engine.numbering('a')?.offset]).toEqual([['b 1-1', 'reset a 2 with nothing'], 2]);
    upstream.publish('a');
    upstream.tell(3);
    expect(heard.slice(2)).toEqual(['a 3-3']);
  });

  describe('of which the upstream has dropped numberings meanwhile', () => {
    test.each([
      ['a commit that it has heard of', 3, {}, ['a 2-2', 'new 1-1']],
      [
        'one that it has not',
        4,
        {},
        ['reset idle 0', 'reset gone 0', 'missed some', 'a 2-2', 'reset new 1 with 1-1'],
      ],
      [
        'commits of an earlier numbering',
        0,
        { epoch: 'another' },
        ['reset idle 0', 'reset gone 0', 'missed some', 'a 2-2', 'reset new 1 with 1-1, all after 0'],
      ],
      [
        'commits of an earlier numbering, of which some are kept',
        0,
        { epoch: 'another', former: { epoch: 'commits', keptSeq: 2 } },
        ['reset idle 0', 'reset gone 0', 'missed some', 'a 2-2', 'reset new 1 with 1-1, all after 2'],
      ],
    ])('up to %s', async (_, forgottenSeq, another, expected) => {
      const { upstream, engine, heard } = await openNode();
      upstream.publish('a idle gone');
      upstream.tell(0);
      engine.forget('idle');
      upstream.publish('a new');
      upstream.dropped.add('idle').add('gone');
      Object.assign(upstream, { forgottenSeq, ...another });
      heard.length = 0;
      await upstream.show();
      expect(heard).toEqual(expected);
    });
  });

  test('is known while it comes, also before the upstream says that it is open', async () => {
    const upstream = new ScriptedUpstream();
    upstream.publish('a a');
    upstream.idle.add('a');
    upstream.beforeOpened = () => {
      upstream.publish('a');
      upstream.tell(2);
    };
    const engine = new ReplicaEngine({ upstream });
    const known: unknown[] = [];
    await engine.open({
      appended: (topic) => void known.push(engine.numbering(topic)?.offset),
      reset: () => undefined,
      degraded: () => undefined,
    });
    expect(known).toEqual([2]);
  });

  test('is filled by fewer loads at a time after each failure, so that a slow upstream can return them in time', async () => {
    const { upstream, heard } = await openNode();
    const topics = Array.from({ length: 40 }, (_, i) => `t${i}`);
    upstream.publish(topics.join(' '));
    upstream.tell(0);
    upstream.publish(topics.join(' '));
    const underWay = new Set<string>();
    upstream.beforeLoad = async (topic) => {
      underWay.add(topic);
      await turn();
      const isLate = underWay.size > 1;
      await turn();
      underWay.delete(topic);
      if (isLate) throw new Error('not in time');
    };
    let pictures = 1;
    const isShown = () =>
      upstream.show().then(
        () => true,
        () => false,
      );
    while (!(await isShown())) pictures++;
    expect(pictures).toBe(4);
    expect(heard).toHaveLength(80);
  });

  test('is unchanged if the upstream dies while it is filled, and complete after the next picture', async () => {
    const { upstream, engine, heard } = await openNode();
    upstream.publish('a b');
    upstream.tell(0);
    upstream.publish('a b');
    upstream.beforeLoad = (topic) => {
      if (topic === 'b') throw new Error('gone');
    };
    await expect(upstream.show()).rejects.toThrow('gone');
    expect([heard, engine.seq]).toEqual([['a 1-1', 'b 1-1'], 2]);
    upstream.beforeLoad = () => undefined;
    upstream.publish('a');
    await upstream.show();
    expect([heard.slice(2), engine.seq]).toEqual([['a 2-2', 'b 2-2', 'a 3-3'], 5]);
  });

  test('of a topic that is being loaded is in what was loaded, or comes after it', async () => {
    const { upstream, engine, heard } = await openNode('a a');
    upstream.beforeLoad = () => {
      upstream.publish('a');
      upstream.tell(2);
    };
    const stored = await engine.load('a');
    upstream.publish('a');
    upstream.tell(3);
    expect([stored?.offset, stored?.publications.map(({ offset }) => offset)]).toEqual([3, [1, 2, 3]]);
    expect(heard).toEqual(['a 4-4']);
    expect(await engine.load('a')).toBeUndefined();
  });

  test('of a topic that it has not loaded waits for that', async () => {
    const { upstream, engine, heard } = await openNode('a');
    upstream.publish('a a');
    upstream.tell(1, 2);
    expect([heard, [...engine.names()]]).toEqual([[], ['a']]);
    const stored = await engine.load('a');
    upstream.tell(2);
    // More was stored by then than the node had heard of.
    expect([stored?.offset, heard]).toEqual([2, ['a 3-3']]);
  });
});

describe('whether a node has heard of the newest commit', () => {
  test('is known once it has, and at once where it has already', async () => {
    const { upstream, engine } = await openNode();
    expect(await engine.hearNewest()).toBe(true);
    upstream.publish('a');
    const hearing = engine.hearNewest();
    await turn();
    upstream.tell(0);
    expect(await hearing).toBe(true);
  });

  test('is denied where it is away, or goes away meanwhile', async () => {
    const { upstream, engine } = await openNode();
    upstream.publish('a');
    const hearing = engine.hearNewest();
    await turn();
    upstream.away(new Error('no route'));
    expect([await hearing, await engine.hearNewest()]).toEqual([false, false]);
  });
});

describe('what a node asks for', () => {
  test('is answered once it has heard of it', async () => {
    const { upstream, engine, heard } = await openNode();
    const outcomes = engine.append([request('a'), request('a')]);
    await turn();
    upstream.publish('b a a');
    upstream.asked[0]?.answer({ epoch: 'commits', seq: 3, outcomes: [succeeded('a', 1), succeeded('a', 2)] });
    await turn();
    const settled: string[] = [];
    void outcomes.then(() => settled.push(...heard));
    await turn();
    upstream.tell(0, 2);
    await turn();
    expect(settled).toEqual([]);
    upstream.tell(2);
    expect(await outcomes).toMatchObject([{ offset: 1 }, { offset: 2 }]);
    expect(settled).toEqual(['b 1-1', 'a 1-1', 'a 2-2']);
  });

  test('is refused at once while the upstream is away', async () => {
    const { upstream, engine, heard } = await openNode();
    upstream.away(new Error('no route'));
    expect(codesOf(await engine.append([request('a')]))).toEqual(['engine_unavailable']);
    expect([upstream.asked, engine.isAway]).toEqual([[], true]);
    upstream.away(undefined);
    void engine.append([request('a')]);
    await turn();
    expect([upstream.asked.length, heard]).toEqual([1, ['no route', 'back']]);
  });

  test('had an outcome before the upstream went away: the same request gets that outcome, and is not done again', async () => {
    const { upstream, engine } = await openNode();
    const asked = request('a');
    const first = engine.append([asked]);
    await turn();
    upstream.publish('a');
    upstream.asked[0]?.answer({ epoch: 'commits', seq: 1, outcomes: [succeeded('a', 1)] });
    await turn();
    upstream.away(new Error('no route'));
    expect(codesOf(await first)).toEqual(['engine_unavailable']);
    upstream.away(undefined);
    const second = engine.append([asked]);
    await turn();
    await upstream.show();
    expect(await second).toMatchObject([{ ok: true, offset: 1 }]);
    expect(upstream.asked).toHaveLength(1);
  });

  test('and that the upstream has lost with its newest commits fails, and is asked for again', async () => {
    const { upstream, engine } = await openNode();
    const asked = request('a');
    const first = engine.append([asked]);
    await turn();
    upstream.asked[0]?.answer({ epoch: 'commits', seq: 1, outcomes: [succeeded('a', 1)] });
    await turn();
    upstream.epoch = 'others';
    upstream.former = { epoch: 'commits', keptSeq: 0 };
    await upstream.show();
    expect(codesOf(await first)).toEqual(['engine_unavailable']);
    void engine.append([asked]);
    await turn();
    expect(upstream.asked).toHaveLength(2);
  });

  test('goes in few batches of bounded size; the rest waits, in order', async () => {
    const { upstream, engine } = await openNode();
    const all = Array.from({ length: 5000 }, () => request('a'));
    const outcomes = Promise.all(upTo(20).map((i) => engine.append(all.slice(250 * (i - 1), 250 * i))));
    await turn();
    expect(upstream.asked.map(({ batch }) => batch.requests.length)).toEqual(Array(8).fill(500));
    upstream.asked[0]?.fail();
    await turn();
    expect(upstream.asked).toHaveLength(9);
    for (let i = 1; i < 10; i++) {
      upstream.asked[i]?.fail();
      await turn();
    }
    expect(upstream.asked.flatMap(({ batch }) => batch.requests.map((each) => each.request))).toEqual(all);
    expect(new Set(codesOf((await outcomes).flat()))).toEqual(new Set(['engine_unavailable']));
  });
});

describe('what a node tells without waiting', () => {
  const at = (offset: number) => ({ epoch: 'of a', offset });
  const acknowledged = ({ batch }: { readonly batch: Batch }) =>
    batch.acknowledged.map(({ topic, user, position }) => `${user} ${topic} ${position.offset}`);

  test('is the newest position of each user, or that the user has none any more', async () => {
    const { upstream, engine } = await openNode();
    engine.acknowledged.set('a', 'bob', at(1));
    engine.acknowledged.set('a', 'bob', at(2));
    for (let i = 0; i <= 100; i++) engine.acknowledged.set(`t${i}`, 'alice', at(1));
    void engine.append([request('a')]);
    await turn();
    const { batch } = upstream.asked[0]!;
    expect(acknowledged({ batch })).toEqual([
      'bob a 2',
      ...Array.from({ length: 100 }, (_, i) => `alice t${i + 1} 1`),
    ]);
    expect(batch.unacknowledged).toEqual([{ topic: 't0', user: 'alice' }]);
  });

  test('is told again where sending failed, but for what is newer by then', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const { upstream, engine } = await openNode('', 'a');
    upstream.publish('a b');
    upstream.tell(0);
    engine.acknowledged.set('a', 'alice', at(1));
    engine.acknowledged.set('a', 'bob', at(1));
    expect(engine.forget('b')).toBe(true);
    await turn();
    expect(acknowledged(upstream.asked[0]!)).toEqual(['alice a 1', 'bob a 1']);
    upstream.asked[0]?.fail();
    await turn();
    engine.acknowledged.set('a', 'bob', at(2));
    expect(upstream.asked).toHaveLength(1);
    vi.advanceTimersToNextTimer();
    expect(acknowledged(upstream.asked[1]!).toSorted()).toEqual(['alice a 1', 'bob a 2']);
    expect(upstream.asked[1]?.batch.forgets).toEqual([
      { topic: 'b', position: { epoch: 'of b', offset: 1 } },
    ]);
  });
});

describe('message ids at a node', () => {
  test('cost those that publish with them nothing where they are known, or the publish failed', async () => {
    const upstream = new ScriptedUpstream();
    const engine = new ReplicaEngine({
      upstream,
      messageIds: { perPayer: 2 * messageIdBytes, total: 100 * messageIdBytes },
    });
    await engine.open({ appended: () => undefined, reset: () => undefined, degraded: () => undefined });
    const publish = (...ids: string[]) => engine.append(ids.map((messageId) => request('a', { messageId })));
    const refused = () => upstream.asked.at(-1)?.batch.requests.map(({ refusedForMs }) => refusedForMs);
    void publish('a', 'b');
    await turn();
    upstream.asked[0]?.fail();
    await turn();
    const known = { ...succeeded('a', 1), duplicate: true };
    for (let times = 0; times < 2; times++) {
      void publish('a', 'b');
      await turn();
      expect(refused()).toEqual([undefined, undefined]);
      upstream.asked.at(-1)?.answer({ epoch: 'commits', seq: 0, outcomes: [known, known] });
      await turn();
    }
    void publish('c', 'd', 'e');
    await turn();
    expect(refused()).toEqual([undefined, undefined, expect.any(Number)]);
  });
});
