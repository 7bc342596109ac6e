import { describe, expect, test, vi } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { SluiceError } from '../../src/errors.ts';
import { Acknowledged } from '../../src/topics/acknowledged.ts';
import type {
  AppendOutcome,
  AppendRequest,
  Engine,
  EngineFeed,
  Numbering,
  StoredTopic,
} from '../../src/topics/engine.ts';
import { StoredPublication } from '../../src/topics/publication.ts';
import {
  answered,
  fields,
  openBroker,
  publishOne,
  stored,
  summary,
  topicOf,
  WaitingEngine,
} from './fixtures.ts';

/** Has one topic in store, as an engine that was opened again. */
class RetainingEngine implements Engine {
  readonly name = 'retaining';
  readonly retains = true;
  readonly epoch = 'engine';
  readonly forgottenSeq = 0;
  readonly messageIdBytes = 0;
  readonly acknowledged = new Acknowledged();
  readonly kept = new Map<string, StoredTopic>();
  loads = 0;
  broken = false;
  #seq = 0;
  #feed: EngineFeed | undefined;

  async open(feed: EngineFeed): Promise<void> {
    this.#feed = feed;
  }

  get seq(): number {
    return this.#seq;
  }

  numbering(topic: string): Numbering | undefined {
    return this.kept.get(topic)?.publications.length === 0 ? this.kept.get(topic) : undefined;
  }

  numberings(): [] {
    return [];
  }

  async append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    return requests.map(({ fields, publishedAtMs, acceptedAtMs }) => {
      const { epoch, offset } = this.kept.get(fields.topic) ?? { epoch: 'new', offset: 0 };
      const publication = new StoredPublication(fields, offset + 1, ++this.#seq, publishedAtMs, acceptedAtMs);
      this.kept.set(fields.topic, {
        epoch,
        offset: offset + 1,
        seq: this.#seq,
        bornAfterSeq: 0,
        evictedSeq: 0,
        publications: [publication],
        state: [],
      });
      this.#feed?.appended(fields.topic, epoch, [publication]);
      return { ok: true, epoch, offset: offset + 1, duplicate: false };
    });
  }

  async load(topic: string): Promise<StoredTopic | undefined> {
    this.loads++;
    if (this.broken) throw new Error('the disk is gone');
    const stored = this.kept.get(topic);
    return this.numbering(topic) === undefined ? stored : undefined;
  }

  forget(topic: string): boolean {
    const known = this.kept.get(topic);
    if (known !== undefined) this.kept.set(topic, { ...known, publications: [], state: [] });
    return true;
  }

  async close(): Promise<void> {}
}

describe('sweep', () => {
  const aged = { topic: { maxAgeMs: 100 } };

  test('evicts what is too old, and removes a topic without content', async () => {
    const { broker, clock, listener, counts } = await openBroker(aged);
    await broker.publish([fields('a')]);
    clock.advance(100);
    broker.sweep();
    expect(broker.find('a')?.ring.count).toBe(1);
    clock.advance(1);
    broker.sweep();
    expect([broker.find('a'), broker.bytes, counts.of('ringEvictionsTotal', 'age')]).toEqual([
      undefined,
      0,
      1,
    ]);
    expect(listener.heard.at(-1)).toEqual({ event: 'removed', topic: 'a' });
  });

  test('a topic that came back continues its numbering', async () => {
    const { broker, clock } = await openBroker(aged);
    const first = await publishOne(broker, fields('a'));
    clock.advance(101);
    broker.sweep();
    const second = await publishOne(broker, fields('a'));
    expect([first, second]).toMatchObject([
      { ok: true, offset: 1 },
      { ok: true, offset: 2 },
    ]);
    expect(second).toMatchObject({ epoch: first.ok ? first.epoch : '' });
    expect(broker.find('a')).toMatchObject({ seq: 2, ring: { reach: 1, newest: 2, evictedSeq: 1 } });
  });

  test('a topic stays while it is held, and keeps its numbering', async () => {
    const { broker, clock } = await openBroker(aged);
    const topic = broker.retain('a');
    await broker.publish([fields('a')]);
    clock.advance(101);
    broker.sweep();
    expect([broker.find('a'), topic.ring.count, topic.ring.newest]).toEqual([topic, 0, 1]);
    broker.release(topic);
    broker.sweep();
    expect(broker.find('a')).toBeUndefined();
  });

  test('a topic stays while message ids live, so that a repeat is still known', async () => {
    const { broker, clock } = await openBroker(aged);
    await publishOne(broker, fields('a', { messageId: 'm' }));
    clock.advance(299_999);
    broker.sweep();
    expect(await publishOne(broker, fields('a', { messageId: 'm' }))).toMatchObject({ duplicate: true });
    clock.advance(1);
    broker.sweep();
    expect(broker.find('a')).toBeUndefined();
  });

  test('a state topic stays while it has keys, though its ring is empty', async () => {
    const { broker, clock } = await openBroker(aged);
    await broker.publish([fields('state', { key: 'k' })]);
    clock.advance(101);
    broker.sweep();
    expect(broker.find('state')?.state?.size).toBe(1);
    await broker.publish([fields('state', { key: 'k', removed: true })]);
    clock.advance(101);
    broker.sweep();
    expect(broker.find('state')).toBeUndefined();
  });

  test('an expired key is removed by a publication, in order, with its tags', async () => {
    const { broker, clock, listener, counts } = await openBroker();
    await broker.publish([
      fields('state', { key: 'a', ttlMs: 100, tags: { room: '1' }, type: 'seat' }),
      fields('state', { key: 'b' }),
    ]);
    clock.advance(99);
    broker.sweep();
    expect(listener.publications).toHaveLength(2);
    clock.advance(1);
    broker.sweep();
    expect(listener.publications.slice(2)).toMatchObject([
      { offset: 3, key: 'a', removed: true, tags: { room: '1' }, type: 'seat' },
    ]);
    await answered();
    expect([broker.find('state')?.state?.size, counts.of('ringEvictionsTotal', 'ttl')]).toEqual([1, 1]);
    broker.sweep();
    expect(listener.publications).toHaveLength(3);
  });

  test('thousands of keys that expire at once are removed in turns of the event loop', async () => {
    const { broker, clock } = await openBroker();
    const keys = Array.from({ length: 1000 }, (_, i) => fields('state', { key: `${i}`, ttlMs: 100 }));
    await broker.publish(keys);
    clock.advance(100);
    broker.sweep();
    const left = () => topicOf(broker.find('state')).state!.size;
    expect(left()).toBe(800);
    await expect.poll(left).toBe(0);
    expect(broker.find('state')?.position.offset).toBe(2000);
  });

  test('an expired value without a key is removed too', async () => {
    const { broker, clock } = await openBroker();
    await broker.publish([fields('state', { ttlMs: 1 })]);
    clock.advance(1);
    broker.sweep();
    expect(broker.find('state')?.state?.size).toBe(0);
  });

  test('the removal itself never expires: who was away must hear of it', async () => {
    const { broker, clock } = await openBroker({ topic: { ttlMs: 100 } });
    await broker.publish([fields('state', { key: 'a' })]);
    clock.advance(100);
    broker.sweep();
    clock.advance(10_000);
    const { publications } = await broker.history('state', 1, 10);
    expect(publications).toMatchObject([{ offset: 2, key: 'a', removed: true }]);
  });

  test('a snapshot leaves out what has expired and was not swept yet', async () => {
    const { broker, clock } = await openBroker();
    await broker.publish([fields('state', { key: 'a', ttlMs: 1 }), fields('state', { key: 'b' })]);
    clock.advance(1);
    const topic = topicOf(broker.find('state'));
    expect([...topic.snapshot(clock.nowMs)].map(({ key }) => key)).toEqual(['b']);
  });
});

describe('expiry with an engine that takes its time', () => {
  async function withExpired() {
    const engine = new WaitingEngine({ isState: () => true });
    const opened = await openBroker({ engine });
    const { broker, clock } = opened;
    void broker.publish([fields('state', { key: 'a', ttlMs: 100 }), fields('state', { key: 'b' })]);
    await engine.commit();
    clock.advance(100);
    return { engine, ...opened, state: topicOf(broker.find('state')).state };
  }

  test('is asked for once while it is under way', async () => {
    const { broker, engine, listener, counts } = await withExpired();
    for (let i = 0; i < 3; i++) broker.sweep();
    expect(engine.calls).toBe(1);
    await engine.commit();
    broker.sweep();
    expect(engine.calls).toBe(0);
    expect(listener.publications.map(({ offset, removed }) => [offset, removed])).toEqual([
      [1, undefined],
      [2, undefined],
      [3, true],
    ]);
    expect(counts.of('ringEvictionsTotal', 'ttl')).toBe(1);
  });

  test.each(['before', 'after'])('leaves a newer value that is committed %s it', async (when) => {
    const { broker, engine, state, counts } = await withExpired();
    if (when === 'after') broker.sweep();
    const publish = broker.publish([fields('state', { key: 'a', ttlMs: 500 })]);
    if (when === 'before') broker.sweep();
    await engine.commit();
    const offset = when === 'before' ? 3 : 4;
    expect(summary(await publish)).toEqual([offset]);
    expect(state?.get('a')?.offset).toBe(offset);
    expect([state?.size, counts.of('ringEvictionsTotal', 'ttl')]).toEqual([2, offset - 3]);
  });

  test('leaves a newer value that comes between two turns, also where the engine has lost the former one', async () => {
    class ForgetfulEngine extends MemoryEngine {
      override append(requests: readonly AppendRequest[]) {
        if (requests.every(({ ifNewest }) => ifNewest === undefined)) return super.append(requests);
        return requests.map(() => ({ ok: false as const, error: new SluiceError('not_found') }));
      }
    }
    const { broker, clock } = await openBroker({ engine: new ForgetfulEngine({ isState: () => true }) });
    await broker.publish(Array.from({ length: 300 }, (_, i) => fields('state', { key: `${i}`, ttlMs: 100 })));
    clock.advance(100);
    const { state } = topicOf(broker.find('state'));
    broker.sweep();
    await answered();
    await answered();
    broker.sweep();
    expect(state?.size).toBe(100);
    await broker.publish([fields('state', { key: '299' })]);
    await expect.poll(() => state?.size).toBe(1);
    expect(state?.get('299')?.offset).toBe(501);
  });

  test('asks anew at a later sweep when the engine could not do it, and not before', async () => {
    const { broker, engine, state, counts } = await withExpired();
    broker.sweep();
    await engine.close();
    await engine.commit();
    expect([
      engine.calls,
      state?.size,
      counts.of('engineRetriesTotal'),
      counts.of('publishErrorsTotal', 'shutting_down'),
    ]).toEqual([0, 2, 0, 0]);
    broker.sweep();
    expect(engine.calls).toBe(1);
  });

  test('is nothing to a topic that began anew meanwhile', async () => {
    const { broker, engine, state } = await withExpired();
    broker.sweep();
    broker.reset('state', 'other', 0);
    broker.appended('state', 'other', [stored(1, { key: 'a', ttlMs: 1 })]);
    expect(state?.size).toBe(1);
    await engine.close();
    await engine.commit();
    broker.sweep();
    expect([engine.calls, state?.get('a')?.offset]).toEqual([1, 1]);
  });
});

describe('the engine', () => {
  test('the probe is content when the feed has what was appended', async () => {
    const { broker } = await openBroker();
    expect(await broker.probe()).toBeUndefined();
  });

  test('the probe fails if the engine does not respond, and sends no more until it does', async () => {
    const engine = new WaitingEngine({ isState: () => false });
    const { broker, clock } = await openBroker({ engine });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const first = broker.probe();
      await vi.advanceTimersByTimeAsync(2000);
      expect(await first).toBe('the engine did not answer within 2000 ms');
      clock.advance(1000);
      expect(await broker.probe()).toBe('the engine does not answer');
      expect(engine.calls).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test('probes that come within a second share one', async () => {
    const { broker, clock } = await openBroker();
    await Promise.all([broker.probe(), broker.probe()]);
    clock.advance(999);
    await broker.probe();
    expect(broker.find('$probe')?.ring.newest).toBe(1);
    clock.advance(1);
    expect(await broker.probe()).toBeUndefined();
    expect(broker.find('$probe')?.ring.newest).toBe(2);
  });

  test('the probe says why the engine is degraded', async () => {
    const { broker, counts } = await openBroker();
    broker.degraded(new Error('the disk is full'));
    expect([await broker.probe(), counts.values('engineUp')]).toEqual(['the disk is full', [1, 0]]);
    broker.degraded(undefined);
    expect(await broker.probe()).toBeUndefined();
    expect(counts.values('engineUp')).toEqual([1, 0, 1]);
  });

  test('the probe fails while the feed has not had what was appended', async () => {
    class DeafEngine extends MemoryEngine {
      override open(): Promise<void> {
        return super.open({ appended: () => {}, reset: () => {}, degraded: () => {} });
      }
    }
    const { broker } = await openBroker({ engine: new DeafEngine({ isState: () => false }) });
    expect(await broker.probe()).toBe('the feed lags behind the engine');
  });

  test('the probe fails once the engine is closed', async () => {
    const { broker } = await openBroker();
    await broker.close();
    expect(await broker.probe()).toContain('shutting down');
  });
});

describe('an engine that retains', () => {
  const content = () => ({ publications: [stored(6), stored(7)], state: [] });

  async function reopened(options: Parameters<typeof openBroker>[0] = {}) {
    const engine = new RetainingEngine();
    engine.kept.set('state', {
      epoch: 'old',
      offset: 7,
      seq: 7,
      bornAfterSeq: 0,
      evictedSeq: 0,
      publications: [stored(6), stored(7)],
      state: [stored(3, { key: 'a' }), stored(7)],
    });
    const opened = await openBroker({ engine, ...options });
    return { engine, ...opened };
  }

  test('a topic is loaded with its numbering, ring and state, once for all who ask', async () => {
    const { broker, engine } = await reopened();
    expect(broker.isLoaded('state')).toBe(false);
    const [topic, same] = await Promise.all([broker.load('state'), broker.load('state')]);
    expect([topic, engine.loads, broker.isLoaded('state')]).toEqual([same, 1, true]);
    expect([topic?.position, topic?.ring.reach, topic?.state?.size]).toEqual([
      { epoch: 'old', offset: 7 },
      5,
      2,
    ]);
    expect(broker.bytes).toBe(topic?.bytes);
  });

  test('publishing loads the topic first, so that its ring goes on where the engine is', async () => {
    const { broker } = await reopened();
    expect(summary(await broker.publish([fields('state', { key: 'b' })]))).toEqual([8]);
    const topic = topicOf(broker.find('state'));
    expect([topic.ring.reach, topic.ring.newest, topic.state?.size]).toEqual([5, 8, 3]);
  });

  test('publishes that wait for a topic are not overtaken by later ones to another topic of theirs', async () => {
    const { broker, engine } = await reopened();
    await broker.publish([fields('known')]);
    let loaded = (): void => undefined;
    const disk = new Promise<undefined>((resolve) => {
      loaded = () => resolve(undefined);
    });
    engine.load = () => disk;
    const first = broker.publish([fields('new'), fields('known')]);
    const second = broker.publish([fields('known')]);
    const other = broker.publish([fields('new')]);
    loaded();
    expect((await Promise.all([first, second, other])).map(summary)).toEqual([[1, 2], [3], [2]]);
  });

  test('publishes that wait for the same topic share one load of it, also where that fails', async () => {
    const { broker, engine } = await reopened();
    await broker.publish([fields('known')]);
    const load = vi.spyOn(engine, 'load').mockImplementation(async () => {
      throw new Error('the disk is slow');
    });
    const publish = () => broker.publish([fields('new'), fields('known')]);
    const outcomes = await Promise.all([publish(), publish(), publish()]);
    expect(outcomes.map(summary)).toEqual([2, 3, 4].map((offset) => ['engine_unavailable', offset]));
    expect(load).toHaveBeenCalledTimes(1);
  });

  test('a publish to a topic that can’t be loaded is refused, the others go on', async () => {
    const { broker, engine } = await reopened();
    await broker.publish([fields('known')]);
    engine.broken = true;
    expect(summary(await broker.publish([fields('state'), fields('known')]))).toEqual([
      'engine_unavailable',
      2,
    ]);
  });

  test('a topic that could not be loaded is loaded when it is asked for again', async () => {
    const { broker, engine } = await reopened();
    engine.broken = true;
    await expect(broker.load('state')).rejects.toThrow('the disk is gone');
    engine.broken = false;
    expect(await broker.load('state')).toMatchObject({ epoch: 'old' });
  });

  test('a topic that was removed is asked for anew: its old content is not answered', async () => {
    const { broker, engine, clock } = await reopened();
    const topic = topicOf(await broker.load('state'));
    broker.appended('state', 'old', [stored(8, { key: 'a', removed: true }), stored(9, { removed: true })]);
    clock.advance(3_600_001);
    broker.sweep();
    expect([broker.find('state'), broker.isLoaded('state'), engine.loads]).toEqual([undefined, false, 1]);
    expect(await broker.history('state', 6, 10)).toMatchObject({ epoch: 'old', missing: { after: 6 } });
    expect([engine.loads, await broker.load('state')]).toEqual([2, undefined]);
    engine.kept.set('state', { ...(engine.kept.get('state') as StoredTopic), epoch: 'new', ...content() });
    const again = topicOf(await broker.load('state'));
    expect([again === topic, again.epoch, engine.loads]).toEqual([false, 'new', 4]);
  });

  test('a ring that was loaded gives way to others', async () => {
    const size = stored(1).bytes;
    const { broker, engine } = await reopened({ historyMaxBytes: 3 * size });
    engine.kept.set('full', { ...(engine.kept.get('state') as StoredTopic), ...content() });
    const full = topicOf(await broker.load('full'));
    expect([full.ring.count, broker.bytes]).toEqual([2, 2 * size]);
    await broker.publish([fields('other')]);
    expect([full.ring.count, broker.bytes]).toEqual([2, 3 * size]);
    await broker.publish([fields('other')]);
    expect([full.ring.count, full.position.offset, broker.bytes]).toEqual([0, 7, 2 * size]);
  });

  test('a ring that is loaded last makes others give way', async () => {
    const size = stored(1).bytes;
    const { broker, engine } = await reopened({ historyMaxBytes: 3 * size });
    await broker.publish([fields('other'), fields('other')]);
    engine.kept.set('full', { ...(engine.kept.get('state') as StoredTopic), ...content() });
    await broker.load('full');
    expect([broker.find('other')?.ring.count, broker.bytes]).toEqual([0, 2 * size]);
  });

  test('topics that were loaded take places', async () => {
    const { broker } = await reopened({ topicsMax: 1 });
    await broker.load('state');
    expect([broker.size, summary(await broker.publish([fields('a')]))]).toEqual([1, ['too_many_topics']]);
  });

  test('asking for an unknown topic stores nothing', async () => {
    const { broker } = await reopened();
    expect(await broker.history('unknown', undefined, 10)).toMatchObject({ epoch: '', upto: 0 });
    expect(broker.size).toBe(0);
  });
});
