import { describe, expect, test } from 'vitest';
import type { AppendRequest } from '../../../src/topics/engine.ts';
import { messageIdBytes, messageIdWindowMs } from '../../../src/topics/message-id-budget.ts';
import type { Payer } from '../../../src/topics/payer.ts';
import { json, summary } from '../../topics/fixtures.ts';
import { type Opened, request } from './harness.ts';

export function messageIdsContract(opened: Opened): void {
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
      const three = { perPayer: 3 * messageIdBytes, total: 100_000 };

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
        const { engine } = await opened({ perPayer: messageIdBytes, total: 100_000 });
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
        expect(engine.messageIdBytes).toBe(2 * messageIdBytes);
        clock.advance(messageIdWindowMs);
        expect(engine.messageIdBytes).toBe(0);
      });
    });
  });
}
