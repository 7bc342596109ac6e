import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { validate } from '../../src/api/validate.ts';
import { SluiceError } from '../../src/errors.ts';

const schema = z.strictObject({ a: z.number() });
const strangers = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`x${i}`, 1]));

function faultOf(value: unknown): SluiceError {
  const result = validate(schema, value);
  if (!(result instanceof SluiceError)) throw new Error('no fault');
  return result;
}

describe('faults of a request', () => {
  test.each([
    [10, 10, undefined],
    [11, 10, 'and 1 more faults'],
    [99, 10, 'and 89 more faults'],
  ])('%d are told up to ten, and counted', (count, told, rest) => {
    const { message, details } = faultOf({ a: 1, ...strangers(count) });
    expect(details).toHaveLength(told);
    if (rest === undefined) expect(message).not.toContain('more faults');
    else expect(message).toContain(rest);
  });

  test('are not looked for in an object with more members than any request has', () => {
    expect(faultOf({ a: 1, ...strangers(99) }).details).toHaveLength(10);
    expect(faultOf({ a: 1, ...strangers(100) }).message).toBe(
      'an object has 101 members: at most 100 are allowed',
    );
  });

  test('are told with the beginning of a long name', () => {
    expect(faultOf({ a: 1, ['x'.repeat(1000)]: 1 }).message.length).toBeLessThan(300);
  });
});
