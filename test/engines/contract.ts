import { afterEach, describe, expect, test } from 'vitest';
import { whenDone } from '../../src/awaitable.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
import type {
  AppendOutcome,
  AppendRequest,
  Engine,
  EngineFeed,
  Numbering,
  StoredTopic,
} from '../../src/topics/engine.ts';
import {
  type MessageIdLimits,
  messageIdBytes,
  messageIdLimits,
  messageIdWindowMs,
} from '../../src/topics/message-id-budget.ts';
import type { Payer } from '../../src/topics/payer.ts';
import type { StoredPublication } from '../../src/topics/publication.ts';
import { FakeClock, fields, json, summary } from '../topics/fixtures.ts';

export interface EngineUnderTest {
  /** An engine that is not open yet. Those of one `EngineUnderTest` share what is stored. */
  make(options: EngineTestOptions): Engine | Promise<Engine>;
  /** Of what the engines of one test have stored. */
  cleanUp?(): void | Promise<void>;
}

export interface EngineTestOptions {
  readonly nowMs: () => number;
  /** What a retaining engine keeps of a topic. */
  readonly ring: { readonly maxPublications: number; readonly maxBytes: number; readonly maxAgeMs: number };
  readonly isState: (topic: string) => boolean;
  /** Numberings of topics without content that it keeps. */
  readonly numberingsMax: number;
  readonly messageIds: MessageIdLimits;
}

const numberingsMax = 3;
const ring = { maxPublications: 10, maxBytes: 1_048_576, maxAgeMs: 3_600_000 };

interface Fed {
  readonly topic: string;
  readonly epoch: string;
  readonly publications: readonly StoredPublication[];
}

class RecordingFeed implements EngineFeed {
  readonly fed: Fed[] = [];
  readonly resets: { topic: string; epoch: string; offset: number }[] = [];
  readonly causes: (Error | undefined)[] = [];

  /** Called while the engine tells of new publications. */
  hook: (topic: string) => void = () => undefined;

  appended(topic: string, epoch: string, publications: readonly StoredPublication[]): void {
    this.hook(topic);
    this.fed.push({ topic, epoch, publications });
  }

  reset(topic: string, epoch: string, offset: number): void {
    this.resets.push({ topic, epoch, offset });
  }

  degraded(cause: Error | undefined): void {
    this.causes.push(cause);
  }

  of(topic: string): StoredPublication[] {
    return this.fed.filter((each) => each.topic === topic).flatMap(({ publications }) => publications);
  }

  offsets(topic: string): number[] {
    return this.of(topic).map(({ offset }) => offset);
  }
}

export function request(topic: string, more: Partial<PublishFields> = {}, publishedMs = 1000): AppendRequest {
  return { fields: fields(topic, more), publishedMs, acceptedAtMs: 5 };
}

function positions(outcomes: readonly AppendOutcome[]) {
  return outcomes.map((outcome) =>
    outcome.ok ? { epoch: outcome.epoch, offset: outcome.offset } : undefined,
  );
}

/**
 * The contract in prose of `src/topics/engine.ts`, as tests. A new engine's test file calls this with its name and a
 * way to make it; nothing else is needed to know that it keeps the contract.
 */
export function engineContract(name: string, set: () => EngineUnderTest | Promise<EngineUnderTest>): void {
  describe(`the contract of engines, kept by ${name}`, () => {
    let cleanUps: (() => void | Promise<void>)[] = [];

    afterEach(async () => {
      for (const cleanUp of cleanUps.reverse()) await cleanUp();
      cleanUps = [];
    });

    async function opened(messageIds = messageIdLimits) {
      const under = await set();
      cleanUps.push(() => under.cleanUp?.());
      const clock = new FakeClock();
      const open = async () => {
        const feed = new RecordingFeed();
        const engine = await under.make({
          nowMs: clock.read,
          ring,
          isState: (topic) => topic.startsWith('state'),
          numberingsMax,
          messageIds,
        });
        await engine.open(feed);
        cleanUps.push(() => engine.close());
        return { engine, feed };
      };
      return { ...(await open()), clock, reopen: open };
    }

    describe('append', () => {
      test('numbers the publications of a topic 1, 2, 3, …', async () => {
        const { engine } = await opened();
        const outcomes: AppendOutcome[] = [];
        for (let i = 0; i < 3; i++) outcomes.push(...(await engine.append([request('a')])));
        expect(summary(outcomes)).toEqual([1, 2, 3]);
      });

      test('numbers each topic by itself, and keeps the order of one call', async () => {
        const { engine, feed } = await opened();
        const payloads = ['p', 'q', 'r'].map(json);
        const outcomes = await engine.append([
          request('a', { payload: payloads[0] }),
          request('b', { payload: payloads[1] }),
          request('a', { payload: payloads[2] }),
        ]);
        expect(summary(outcomes)).toEqual([1, 1, 2]);
        expect(feed.of('a').map(({ payload }) => payload.bytes)).toEqual([
          payloads[0]?.bytes,
          payloads[2]?.bytes,
        ]);
      });

      test('returns one epoch for all publications of a topic', async () => {
        const { engine } = await opened();
        const outcomes = await engine.append([request('a'), request('a')]);
        const [first, second] = positions(outcomes);
        expect(first?.epoch).toBeTruthy();
        expect(second?.epoch).toBe(first?.epoch);
      });

      test('returns nothing for no requests', async () => {
        const { engine, feed } = await opened();
        expect([await engine.append([]), feed.fed]).toEqual([[], []]);
      });

      test('gives offsets once, also to calls at the same time', async () => {
        const { engine, feed } = await opened();
        const calls = Array.from({ length: 20 }, () => engine.append([request('a'), request('b')]));
        const outcomes = (await Promise.all(calls)).flat();
        const expected = Array.from({ length: 20 }, (_, i) => i + 1);
        expect(summary(outcomes.filter((_, i) => i % 2 === 0)).sort((x, y) => Number(x) - Number(y))).toEqual(
          expected,
        );
        expect([feed.offsets('a'), feed.offsets('b')]).toEqual([expected, expected]);
      });

      test('feeds each publication exactly once, whole, in order and before its answer', async () => {
        const { engine, feed } = await opened();
        const more = {
          type: 'seat',
          key: 'k',
          tags: { room: '1' },
          except: 's',
          ttlMs: 500,
          payload: { format: 'binary', bytes: Uint8Array.of(0, 255, 7) },
        } as const;
        const fedAtAnswer = await whenDone(engine.append([request('a', more), request('a')]), () =>
          feed.offsets('a'),
        );
        expect(fedAtAnswer).toEqual([1, 2]);
        const { ttlMs, ...expected } = more;
        expect(feed.of('a')[0]).toMatchObject({
          ...expected,
          topic: 'a',
          offset: 1,
          publishedMs: 1000,
          timestampMs: 1000,
          expiresAtMs: 1000 + ttlMs,
        });
      });

      test('takes ages and TTLs from when it was published, timestamps from the publisher', async () => {
        const { engine, feed } = await opened();
        await engine.append([request('a', { timestampMs: 7, ttlMs: 500 })]);
        expect(feed.of('a')).toMatchObject([{ publishedMs: 1000, timestampMs: 7, expiresAtMs: 1500 }]);
      });

      test('feeds the epoch that it returns', async () => {
        const { engine, feed } = await opened();
        const [position] = positions(await engine.append([request('a')]));
        expect(feed.fed.map(({ epoch }) => epoch)).toEqual([position?.epoch]);
      });
    });

    describe('message ids', () => {
      test('a repeat has the first position and is not fed again', async () => {
        const { engine, feed } = await opened();
        const [first] = await engine.append([request('a', { messageId: 'm' })]);
        await engine.append([request('a')]);
        const [repeat] = await engine.append([request('a', { messageId: 'm' }, 2000)]);
        expect(first).toMatchObject({ ok: true, offset: 1, duplicate: false });
        expect(repeat).toEqual({ ...first, duplicate: true });
        expect(feed.offsets('a')).toEqual([1, 2]);
      });

      test('a repeat within one call is a repeat', async () => {
        const { engine, feed } = await opened();
        const outcomes = await engine.append([
          request('a', { messageId: 'm' }),
          request('a', { messageId: 'm' }),
          request('a'),
        ]);
        expect(outcomes).toMatchObject([
          { offset: 1, duplicate: false },
          { offset: 1, duplicate: true },
          { offset: 2, duplicate: false },
        ]);
        expect(feed.offsets('a')).toEqual([1, 2]);
      });

      test('equals at the same time share one append', async () => {
        const { engine, feed } = await opened();
        const calls = Array.from({ length: 10 }, () => engine.append([request('a', { messageId: 'm' })]));
        const outcomes = (await Promise.all(calls)).flat();
        expect(summary(outcomes)).toEqual(Array.from({ length: 10 }, () => 1));
        expect(outcomes.filter((outcome) => outcome.ok && !outcome.duplicate)).toHaveLength(1);
        expect(feed.offsets('a')).toEqual([1]);
      });

      test('the same id with another publication is a conflict, and affects no other request', async () => {
        const { engine, feed } = await opened();
        await engine.append([request('a', { messageId: 'm' })]);
        const outcomes = await engine.append([
          request('a', { messageId: 'm', payload: json('other') }),
          request('a'),
        ]);
        expect(summary(outcomes)).toEqual(['message_id_conflict', 2]);
        expect(feed.offsets('a')).toEqual([1, 2]);
      });

      test('are known per topic', async () => {
        const { engine } = await opened();
        const outcomes = await engine.append([
          request('a', { messageId: 'm' }),
          request('b', { messageId: 'm', payload: json('other') }),
        ]);
        expect(summary(outcomes)).toEqual([1, 1]);
      });

      test('are known for five minutes', async () => {
        const { engine, clock } = await opened();
        await engine.append([request('a', { messageId: 'm' })]);
        clock.advance(messageIdWindowMs - 1);
        expect(await engine.append([request('a', { messageId: 'm' })])).toMatchObject([{ duplicate: true }]);
        clock.advance(1);
        expect(await engine.append([request('a', { messageId: 'm' })])).toMatchObject([
          { duplicate: false, offset: 2 },
        ]);
      });

      test('are known for five minutes, however many come after them', async () => {
        const { engine, clock } = await opened();
        const ids = Array.from({ length: 11_000 }, (_, i) => request('a', { messageId: `m${i}` }));
        await engine.append(ids);
        clock.advance(messageIdWindowMs - 1);
        expect(await engine.append([request('a', { messageId: 'm0' })])).toMatchObject([
          { offset: 1, duplicate: true },
        ]);
      });

      describe('over the budget of their publisher', () => {
        const alice: Payer = { account: 'user alice', isVerified: true };
        const bob: Payer = { account: 'user bob', isVerified: true };
        const by = (payer: Payer | undefined, topic: string, messageId?: string): AppendRequest => ({
          ...request(topic, messageId === undefined ? {} : { messageId }),
          payer,
        });
        const three = { perPayer: 3 * messageIdBytes('m1'), total: 100_000 };

        test('are refused: the publisher’s own new ones only, until its oldest is forgotten', async () => {
          const { engine, feed, clock } = await opened(three);
          await engine.append([by(alice, 'a', 'm1')]);
          clock.advance(1000);
          const outcomes = await engine.append([
            by(alice, 'a', 'm2'),
            by(alice, 'b', 'm3'),
            by(alice, 'a', 'm4'),
            by(alice, 'a', 'm1'),
            by(alice, 'a'),
            by(bob, 'a', 'm4'),
          ]);
          expect(summary(outcomes)).toEqual([2, 1, 'rate_limited', 1, 3, 4]);
          expect(outcomes[2]).toMatchObject({ error: { retryAfterMs: messageIdWindowMs - 1000 } });
          expect(feed.offsets('a')).toEqual([1, 2, 3, 4]);
          clock.advance(messageIdWindowMs - 1001);
          expect(summary(await engine.append([by(alice, 'a', 'm5')]))).toEqual(['rate_limited']);
          clock.advance(1);
          expect(summary(await engine.append([by(alice, 'a', 'm5'), by(alice, 'a', 'm6')]))).toEqual([
            5,
            'rate_limited',
          ]);
        });

        test('begin no topic', async () => {
          const { engine } = await opened({ perPayer: messageIdBytes('m1'), total: 100_000 });
          await engine.append([by(alice, 'a', 'm1')]);
          const before = engine.seq;
          expect(summary(await engine.append([by(alice, 'new', 'm2')]))).toEqual(['rate_limited']);
          expect(engine.seq).toBe(before);
          expect([...(engine.names?.() ?? [])]).not.toContain('new');
          expect(engine.numbering('new')).toBeUndefined();
        });

        test('what is remembered is told, and told no more when it is forgotten', async () => {
          const { engine, clock } = await opened(three);
          expect(engine.messageIdBytes).toBe(0);
          await engine.append([by(alice, 'a', 'm1'), by(bob, 'b', 'm2')]);
          expect(engine.messageIdBytes).toBe(2 * messageIdBytes('m1'));
          clock.advance(messageIdWindowMs);
          expect(engine.messageIdBytes).toBe(0);
        });
      });
    });

    describe('expiry', () => {
      const value = (key: string, more: Partial<PublishFields> = {}) =>
        request('state', { key, ttlMs: 100, ...more });
      const expiry = (epoch: string, offset: number, key: string | undefined, topic = 'state') => ({
        ...request(topic, { key, removed: true }),
        ifNewest: { epoch, offset },
      });

      /** An engine that has the keys `a` at 1 and `b` at 2. */
      async function withValues() {
        const under = await opened();
        const [position] = positions(await under.engine.append([value('a'), value('b')]));
        return { ...under, epoch: position?.epoch as string };
      }

      test('removes the value that it means, like a publication', async () => {
        const { engine, feed, epoch } = await withValues();
        expect(await engine.append([expiry(epoch, 1, 'a'), expiry(epoch, 2, 'b')])).toEqual([
          { ok: true, epoch, offset: 3, duplicate: false },
          { ok: true, epoch, offset: 4, duplicate: false },
        ]);
        expect(feed.of('state').slice(2)).toMatchObject([
          { offset: 3, key: 'a', removed: true },
          { offset: 4, key: 'b', removed: true },
        ]);
      });

      test('means no key as the key ""', async () => {
        const { engine } = await opened();
        const [position] = positions(await engine.append([request('state', { ttlMs: 100 })]));
        const epoch = position?.epoch as string;
        expect(summary(await engine.append([expiry(epoch, 1, ''), expiry(epoch, 1, undefined)]))).toEqual([
          2,
          'not_found',
        ]);
      });

      test('leaves a newer value that comes before it, uses no offset and feeds nothing', async () => {
        const { engine, feed, epoch } = await withValues();
        const outcomes = await engine.append([value('a'), expiry(epoch, 1, 'a'), value('c')]);
        expect(summary(outcomes)).toEqual([3, 'not_found', 4]);
        expect(feed.offsets('state')).toEqual([1, 2, 3, 4]);
        expect(summary(await engine.append([expiry(epoch, 3, 'a')]))).toEqual([5]);
      });

      test('leaves a newer value without a TTL too', async () => {
        const { engine, epoch } = await withValues();
        const outcomes = await engine.append([value('a', { ttlMs: undefined }), expiry(epoch, 1, 'a')]);
        expect(summary(outcomes)).toEqual([3, 'not_found']);
      });

      test('is undone by a newer value after it', async () => {
        const { engine, feed, epoch } = await withValues();
        expect(summary(await engine.append([expiry(epoch, 1, 'a'), value('a')]))).toEqual([3, 4]);
        expect(feed.of('state').at(-1)).toMatchObject({ offset: 4, removed: undefined });
      });

      test('leaves a newer value that is on its way in another call', async () => {
        const { engine, epoch } = await withValues();
        const publish = engine.append([value('a')]);
        const expire = engine.append([expiry(epoch, 1, 'a')]);
        expect(summary([...(await publish), ...(await expire)])).toEqual([3, 'not_found']);
      });

      test('happens once, however often it is asked for at once', async () => {
        const { engine, feed, epoch } = await withValues();
        const calls = Array.from({ length: 5 }, () =>
          engine.append([expiry(epoch, 1, 'a'), expiry(epoch, 1, 'a')]),
        );
        const outcomes = summary((await Promise.all(calls)).flat());
        expect(outcomes.filter((outcome) => outcome === 'not_found')).toHaveLength(9);
        expect(feed.offsets('state')).toEqual([1, 2, 3]);
      });

      test('finds nothing after a removal', async () => {
        const { engine, epoch } = await withValues();
        const outcomes = await engine.append([value('a', { removed: true }), expiry(epoch, 1, 'a')]);
        expect(summary(outcomes)).toEqual([3, 'not_found']);
      });

      test('finds a value that has long left the ring', async () => {
        const { engine, epoch } = await withValues();
        await engine.append(Array.from({ length: 5 * ring.maxPublications }, () => value('b')));
        expect(summary(await engine.append([expiry(epoch, 1, 'a')]))).toEqual([53]);
      });

      test('does not take another key, offset or epoch for it', async () => {
        const { engine, epoch } = await withValues();
        const outcomes = await engine.append([
          expiry(epoch, 1, 'b'),
          expiry(epoch, 0, 'a'),
          expiry(epoch, 2, 'a'),
          expiry('other', 1, 'a'),
        ]);
        expect(summary(outcomes)).toEqual(['not_found', 'not_found', 'not_found', 'not_found']);
      });

      test('does not take a value that came after the content was dropped for it', async () => {
        const { engine, epoch } = await withValues();
        expect(engine.forget('state')).toBe(true);
        expect(summary(await engine.append([value('a'), expiry(epoch, 1, 'a')]))).toEqual([3, 'not_found']);
      });

      test('begins no topic, and is nothing to one that is no state', async () => {
        const { engine, feed } = await opened();
        expect(summary(await engine.append([expiry('e', 1, 'a'), expiry('', 0, 'a')]))).toEqual([
          'not_found',
          'not_found',
        ]);
        expect([feed.fed, [...(engine.names?.() ?? [])]]).toEqual([[], []]);
        const [position] = positions(await engine.append([request('a', { key: 'a', ttlMs: 1 })]));
        const outcomes = await engine.append([expiry(position?.epoch as string, 1, 'a', 'a')]);
        expect(summary(outcomes)).toEqual(['not_found']);
      });

      test('that the process did not live to ask for is asked for by the next, once', async () => {
        const { engine, epoch, reopen } = await withValues();
        await engine.append([value('b')]);
        await engine.close();
        expect(summary(await engine.append([expiry(epoch, 1, 'a')]))).toEqual(['shutting_down']);
        const again = await reopen();
        const outcomes = await again.engine.append([
          expiry(epoch, 2, 'b'),
          expiry(epoch, 1, 'a'),
          expiry(epoch, 1, 'a'),
        ]);
        expect(summary(outcomes)).toEqual(['not_found', again.engine.retains ? 4 : 'not_found', 'not_found']);
        expect(again.feed.offsets('state')).toEqual(again.engine.retains ? [4] : []);
      });

      test('that was committed before the process ended is not found by the next', async () => {
        const { engine, epoch, reopen } = await withValues();
        await engine.append([expiry(epoch, 1, 'a')]);
        await engine.close();
        const again = await reopen();
        expect(summary(await again.engine.append([expiry(epoch, 1, 'a')]))).toEqual(['not_found']);
      });
    });

    describe('forget', () => {
      test('a topic that was forgotten continues its numbering', async () => {
        const { engine, feed } = await opened();
        const [before] = positions(await engine.append([request('a'), request('a')]));
        expect(engine.forget('a')).toBe(true);
        const [after] = positions(await engine.append([request('a')]));
        expect(after).toEqual({ epoch: before?.epoch, offset: 3 });
        expect(feed.offsets('a')).toEqual([1, 2, 3]);
      });

      test('the numbering is known while the content is gone, and while the feed hears of new content', async () => {
        const { engine, feed } = await opened();
        const [before] = positions(await engine.append([request('a'), request('a')]));
        expect([engine.numbering('a'), engine.numbering('b')]).toEqual([undefined, undefined]);
        engine.forget('a');
        const numbering = { ...before, offset: 2, seq: feed.of('a').at(-1)?.seq, bornAfterSeq: 0 };
        expect(engine.numbering('a')).toMatchObject(numbering);
        expect([...engine.numberings(0)]).toMatchObject([['a', numbering]]);
        let heard: Numbering | undefined;
        feed.hook = (topic) => {
          heard = engine.numbering(topic);
        };
        await engine.append([request('a')]);
        expect(heard).toMatchObject(numbering);
        expect([engine.numbering('a'), [...engine.numberings(0)]]).toEqual([undefined, []]);
      });

      test('drops the numberings that have been idle for longest, and knows the highest seq of them', async () => {
        const { engine, feed } = await opened();
        const names = ['d', 'c', 'b', 'a', 'e'];
        await engine.append(names.map((name) => request(name)));
        for (const name of ['a', 'b', 'c']) engine.forget(name);
        await engine.append([request('x')]);
        expect([[...engine.numberings(0)].map(([name]) => name), engine.forgottenSeq]).toEqual([
          ['c', 'b', 'a'],
          0,
        ]);
        engine.forget('d');
        await engine.append([request('x')]);
        expect([[...engine.numberings(0)].map(([name]) => name), engine.forgottenSeq]).toEqual([
          ['d', 'c', 'b'],
          feed.of('a').at(-1)?.seq,
        ]);
        const [again] = positions(await engine.append([request('a')]));
        expect(again?.offset).toBe(1);
        expect(again?.epoch).not.toBe(feed.fed.find(({ topic }) => topic === 'a')?.epoch);
        engine.forget('a');
        await engine.append([request('x')]);
        expect(engine.numbering('a')).toMatchObject({ bornAfterSeq: feed.of('a')[0]?.seq, offset: 1 });
        // The others are lower than the one that is known already.
        expect(engine.forgottenSeq).toBe(feed.of('a')[0]?.seq);
      });

      test('lists the numberings that have a publication after a commit', async () => {
        const { engine, feed } = await opened();
        await engine.append(['a', 'b', 'c'].map((name) => request(name)));
        const seqOf = (name: string) => feed.of(name).at(-1)?.seq as number;
        engine.forget('c');
        engine.forget('a');
        await engine.append([request('d')]);
        engine.forget('b');
        const listed = (after: number) => [...engine.numberings(after)].map(([name]) => name);
        expect(listed(0)).toEqual(['b', 'a', 'c']);
        expect(listed(seqOf('a'))).toEqual(['b', 'c']);
        expect(listed(seqOf('b'))).toEqual(['c']);
        expect(listed(seqOf('c'))).toEqual([]);
        expect(listed(engine.seq)).toEqual([]);
      });

      test('commits are numbered over all topics, and a retaining engine remembers them', async () => {
        const { engine, feed, reopen } = await opened();
        expect(engine.seq).toBe(0);
        await engine.append([request('a'), request('b'), request('a')]);
        await engine.append([request('b')]);
        const seqs = feed.fed.flatMap(({ publications }) => publications.map(({ seq }) => seq));
        expect(new Set(seqs).size).toBe(4);
        expect(feed.of('a').at(-1)?.seq).toBeGreaterThan(feed.of('a')[0]?.seq as number);
        expect(engine.seq).toBe(Math.max(...seqs));
        engine.forget('b');
        await engine.append([request('a')]);
        const { epoch, seq, forgottenSeq } = engine;
        const numbering = engine.numbering('b');
        await engine.close();
        const again = await reopen();
        if (again.engine.retains) {
          expect(again.engine).toMatchObject({ epoch, seq, forgottenSeq });
          const { epoch: topicEpoch, offset, seq: topicSeq, bornAfterSeq } = numbering as Numbering;
          expect(again.engine.numbering('b')).toMatchObject({
            ...{ epoch: topicEpoch, offset, seq: topicSeq, bornAfterSeq },
          });
        } else {
          expect(again.engine.epoch).not.toBe(epoch);
        }
      });

      test('is refused while message ids live', async () => {
        const { engine, clock } = await opened();
        const [before] = positions(await engine.append([request('a', { messageId: 'm' })]));
        clock.advance(messageIdWindowMs - 1);
        expect(engine.forget('a')).toBe(false);
        expect(positions(await engine.append([request('a')]))).toEqual([{ epoch: before?.epoch, offset: 2 }]);
        clock.advance(1);
        expect(engine.forget('a')).toBe(true);
      });

      test('leaves the other topics alone', async () => {
        const { engine } = await opened();
        await engine.append([request('a'), request('b')]);
        engine.forget('a');
        expect(summary(await engine.append([request('b')]))).toEqual([2]);
      });

      test('an unknown topic is as good as forgotten', async () => {
        const { engine } = await opened();
        expect(engine.forget('unknown')).toBe(true);
      });
    });

    describe('load', () => {
      test('has nothing of an unknown topic', async () => {
        const { engine } = await opened();
        expect(await engine.load('unknown')).toBeUndefined();
      });

      test('an engine that retains has after reopening what was committed; another has nothing', async () => {
        const { engine, feed, reopen } = await opened();
        const [position] = positions(
          await engine.append([
            request('state', { key: 'a', tags: { n: '1' } }),
            request('state', { key: 'b' }),
            request('state', { key: 'a', payload: json('newer'), except: 's', ttlMs: 50_000 }),
            request('state', { key: 'b', removed: true }),
          ]),
        );
        await engine.close();
        const again = await reopen();
        const loaded = await again.engine.load('state');
        if (!again.engine.retains) {
          expect(loaded).toBeUndefined();
          return;
        }
        const { publications, state, epoch, offset } = loaded as StoredTopic;
        expect({ epoch, offset }).toEqual({ epoch: position?.epoch, offset: 4 });
        expect(publications.map(plain)).toEqual(feed.of('state').map(plain));
        expect(state.map(plain)).toEqual([feed.of('state')[2]].map(plain));
        expect(again.feed.fed).toEqual([]);
        expect(await again.engine.append([request('state')])).toMatchObject([{ epoch, offset: 5 }]);
      });

      test('an engine that retains keeps what the ring’s limits say, and ends at the newest offset', async () => {
        const { engine, reopen } = await opened();
        await engine.append(Array.from({ length: 3 * ring.maxPublications }, () => request('a')));
        await engine.close();
        const again = await reopen();
        if (!again.engine.retains) {
          expect(await again.engine.load('a')).toBeUndefined();
          return;
        }
        const { publications, offset } = (await again.engine.load('a')) as StoredTopic;
        const offsets = publications.map((publication) => publication.offset);
        expect(offset).toBe(30);
        expect(offsets).toEqual(
          Array.from({ length: offsets.length }, (_, i) => offset - offsets.length + 1 + i),
        );
        expect(offsets.length).toBeGreaterThanOrEqual(ring.maxPublications);
        expect(offsets.length).toBeLessThan(3 * ring.maxPublications);
      });

      test('an engine that retains keeps by age what was published lately, whatever the timestamps say', async () => {
        const { engine, clock, reopen } = await opened();
        await engine.append([
          request('old', { timestampMs: clock.nowMs + 2 * ring.maxAgeMs }, clock.nowMs - 1),
          request('young', { timestampMs: 0 }, clock.nowMs),
        ]);
        await engine.close();
        clock.advance(ring.maxAgeMs);
        const again = await reopen();
        const [old, young] = [await again.engine.load('old'), await again.engine.load('young')];
        if (!again.engine.retains) {
          expect([old, young]).toEqual([undefined, undefined]);
          return;
        }
        expect([old?.publications.length, young?.publications.length]).toEqual([0, 1]);
        expect(young?.publications[0]).toMatchObject({
          timestampMs: 0,
          publishedMs: clock.nowMs - ring.maxAgeMs,
        });
      });

      test('an engine that retains still knows message ids after reopening', async () => {
        const { engine, reopen } = await opened();
        await engine.append([request('a', { messageId: 'm' })]);
        await engine.close();
        const again = await reopen();
        expect(await again.engine.append([request('a', { messageId: 'm' })])).toMatchObject([
          { offset: 1, duplicate: again.engine.retains },
        ]);
      });
    });

    describe('close', () => {
      test('every append after it fails, and is not fed', async () => {
        const { engine, feed } = await opened();
        await engine.close();
        expect(summary(await engine.append([request('a'), request('b')]))).toEqual([
          'shutting_down',
          'shutting_down',
        ]);
        expect(feed.fed).toEqual([]);
      });

      test('waits for the appends under way: they are answered and fed', async () => {
        const { engine, feed } = await opened();
        const append = engine.append([request('a')]);
        await engine.close();
        expect([feed.offsets('a'), summary(await append)]).toEqual([[1], [1]]);
      });

      test('twice is once', async () => {
        const { engine } = await opened();
        await engine.close();
        await expect(engine.close()).resolves.toBeUndefined();
      });
    });

    test('an append before it was opened is refused', async () => {
      const under = await set();
      const engine = await under.make({
        nowMs: () => 0,
        ring,
        isState: () => false,
        numberingsMax,
        messageIds: messageIdLimits,
      });
      const [outcome] = await engine.append([request('a')]);
      expect(outcome?.ok).toBe(false);
      await engine.close();
      await under.cleanUp?.();
    });
  });
}

/** What of a publication must survive; when this process accepted it needn't. */
function plain(publication: StoredPublication | undefined) {
  if (publication === undefined) return undefined;
  const { topic, offset, publishedMs, timestampMs, type, payload, key, tags, removed, except, expiresAtMs } =
    publication;
  const bytes = [...payload.bytes];
  return {
    topic,
    offset,
    publishedMs,
    timestampMs,
    type,
    format: payload.format,
    bytes,
    key,
    tags,
    removed,
    except,
    expiresAtMs,
  };
}
