import { describe, expect, test } from 'vitest';
import { whenDone } from '../../../src/awaitable.ts';
import type { AppendOutcome } from '../../../src/topics/engine.ts';
import { json, summary } from '../../topics/fixtures.ts';
import { type Opened, positions, request } from './harness.ts';

export function appendContract(opened: Opened): void {
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

    test('feeds each publication exactly once, whole, in order and before the outcome of its append', async () => {
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
        publishedAtMs: 1000,
        timestampMs: 1000,
        expiresAtMs: 1000 + ttlMs,
      });
    });

    test('takes ages and TTLs from when it was published, timestamps from the publisher', async () => {
      const { engine, feed } = await opened();
      await engine.append([request('a', { timestampMs: 7, ttlMs: 500 })]);
      expect(feed.of('a')).toMatchObject([{ publishedAtMs: 1000, timestampMs: 7, expiresAtMs: 1500 }]);
    });

    test('feeds the epoch that it returns', async () => {
      const { engine, feed } = await opened();
      const [position] = positions(await engine.append([request('a')]));
      expect(feed.fed.map(({ epoch }) => epoch)).toEqual([position?.epoch]);
    });
  });
}
