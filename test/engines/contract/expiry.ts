import { describe, expect, test } from 'vitest';
import type { PublishFields } from '../../../src/protocol/frames.ts';
import { summary } from '../../topics/fixtures.ts';
import { type Opened, positions, request, ring } from './harness.ts';

export function expiryContract(opened: Opened): void {
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
}
