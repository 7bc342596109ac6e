import { describe, expect, test } from 'vitest';
import type { Numbering } from '../../../src/topics/engine.ts';
import { messageIdWindowMs } from '../../../src/topics/message-id-budget.ts';
import { summary } from '../../topics/fixtures.ts';
import { type Opened, positions, request } from './harness.ts';

export function forgetContract(opened: Opened): void {
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
          epoch: topicEpoch,
          offset,
          seq: topicSeq,
          bornAfterSeq,
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
}
