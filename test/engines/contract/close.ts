import { describe, expect, test } from 'vitest';
import { summary } from '../../topics/fixtures.ts';
import { type Opened, request } from './harness.ts';

export function closeContract(opened: Opened): void {
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
}
