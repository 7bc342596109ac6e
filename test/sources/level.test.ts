import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Level, nextLevel } from '../../src/sources/level.ts';

const thresholds = { warning: 80, critical: 95, margin: 5 };

describe('nextLevel', () => {
  test.each<[Level, number, Level]>([
    ['ok', 79.9, 'ok'],
    ['ok', 80, 'warning'],
    ['ok', 95, 'critical'],
    ['warning', 75, 'warning'],
    ['warning', 74.9, 'ok'],
    ['warning', 94.9, 'warning'],
    ['critical', 90, 'critical'],
    ['critical', 89.9, 'warning'],
    ['critical', 75, 'warning'],
    ['critical', 74.9, 'ok'],
  ])('from %s at %d comes %s', (previous, value, level) => {
    expect(nextLevel(value, thresholds, previous)).toBe(level);
  });

  test('does not flap where the value moves less than the margin', () => {
    const around = fc.array(fc.double({ min: -2.49, max: 2.49, noNaN: true }), { minLength: 2 });
    fc.assert(
      fc.property(fc.constantFrom(80, 95), around, (threshold, noise) => {
        let level: Level = 'ok';
        const levels = noise.map((each) => {
          level = nextLevel(threshold + each, thresholds, level);
          return level;
        });
        const changes = levels.filter((each, index) => index > 0 && each !== levels[index - 1]).length;
        expect(changes).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('depends on the previous level only between a threshold and its margin', () => {
    const previous = fc.constantFrom<Level>('ok', 'warning', 'critical');
    fc.assert(
      fc.property(fc.double({ min: 0, max: 200, noNaN: true }), previous, previous, (value, left, right) => {
        const inBand = [80, 95].some(
          (threshold) => value < threshold && value >= threshold - thresholds.margin,
        );
        fc.pre(!inBand);
        expect(nextLevel(value, thresholds, left)).toBe(nextLevel(value, thresholds, right));
      }),
    );
  });
});
