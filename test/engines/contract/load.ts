import { describe, expect, test } from 'vitest';
import type { StoredTopic } from '../../../src/topics/engine.ts';
import { json } from '../../topics/fixtures.ts';
import { type Opened, plain, positions, request, ring } from './harness.ts';

export function loadContract(opened: Opened): void {
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
        publishedAtMs: clock.nowMs - ring.maxAgeMs,
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
}
