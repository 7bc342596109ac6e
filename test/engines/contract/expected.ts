import { describe, expect, test } from 'vitest';
import { summary } from '../../topics/fixtures.ts';
import { type Opened, positions, request } from './harness.ts';

export function expectedContract(opened: Opened): void {
  describe('an expected position', () => {
    const at = (epoch: string, offset: number, messageId?: string) => ({
      ...request('a', { messageId }),
      expected: { epoch, offset },
    });

    test.each([
      [1, 'position_conflict'],
      [2, 3],
      [3, 'position_conflict'],
    ])('of offset %i in a topic at 2: %s', async (offset, outcome) => {
      const { engine, feed } = await opened();
      const [first] = positions(await engine.append([request('a'), request('a')]));
      expect(summary(await engine.append([at(first?.epoch as string, offset)]))).toEqual([outcome]);
      expect(feed.offsets('a')).toEqual(outcome === 3 ? [1, 2, 3] : [1, 2]);
    });

    test('of another epoch does not match', async () => {
      const { engine } = await opened();
      await engine.append([request('a')]);
      expect(summary(await engine.append([at('other', 1), at('', 0)]))).toEqual([
        'position_conflict',
        'position_conflict',
      ]);
    });

    test('may be that the topic does not exist: of two such publishes at once, one begins it', async () => {
      const { engine, feed } = await opened();
      expect(summary(await engine.append([at('', 0), at('', 0)]))).toEqual([1, 'position_conflict']);
      expect(feed.offsets('a')).toEqual([1]);
    });

    test('that does not match neither begins a topic nor uses up a message id', async () => {
      const { engine } = await opened();
      expect(summary(await engine.append([at('other', 7, 'id')]))).toEqual(['position_conflict']);
      expect(summary(await engine.append([at('', 0, 'id')]))).toEqual([1]);
    });

    test('is the last one of a topic whose content is gone', async () => {
      const { engine } = await opened();
      const [first] = positions(await engine.append([request('a')]));
      engine.forget('a');
      expect(summary(await engine.append([at('', 0), at(first?.epoch as string, 1)]))).toEqual([
        'position_conflict',
        2,
      ]);
    });
  });
}
