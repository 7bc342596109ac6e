import { expect, test } from 'vitest';
import { labelStride } from '../../src/web/tick-labels.ts';

test.each([
  [5, 1000, 1],
  [5, 250, 1],
  [5, 249, 2],
  [5, 182, 2],
  [5, 124, 3],
  [4, 200, 1],
  [4, 199, 2],
  [5, 10, 5],
  [5, 0, 5],
])('of %i steps on %i px every %i. has a label', (steps, px, stride) => {
  expect(labelStride(steps, px)).toBe(stride);
});
