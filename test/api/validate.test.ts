import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { routes } from '../../src/api/routes.ts';
import { validate } from '../../src/api/validate.ts';
import { SluiceError } from '../../src/errors.ts';

type Fault = { readonly path: string; readonly message: string };

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

  const wrong = [
    undefined,
    null,
    0,
    -1,
    1.5,
    2 ** 60,
    '',
    'x'.repeat(2000),
    'ü',
    [],
    [7],
    {},
    { x: 7 },
    { ['x'.repeat(300)]: '' },
  ];
  const schemas = routes.flatMap(({ method, path, params, query, body }) =>
    [params, query, body?.schema].flatMap((each) =>
      each === undefined ? [] : [[`${method} ${path}`, each] as const],
    ),
  );

  test.each(schemas)('of %s are in words of Sluice, each with the path of its member', (_, each) => {
    const members = each instanceof z.ZodObject ? Object.keys(each.shape) : [];
    const values = [...wrong, ...members.flatMap((name) => wrong.map((value) => ({ [name]: value })))];
    const results = values.map((value) => validate(each, value));
    const faults = results.flatMap((result) =>
      result instanceof SluiceError ? (result.details as Fault[]) : [],
    );
    expect(faults.length).toBeGreaterThan(10);
    for (const { path, message } of faults) {
      expect(message).toMatch(/^(is|are|has|may|must|needs|the name|at most) /);
      expect(message).not.toMatch(/[Ii]nvalid|expected|received|undefined/);
      expect(typeof path).toBe('string');
    }
  });

  test.each<[z.ZodType, unknown, string]>([
    [z.strictObject({ a: z.object({ b: z.string() }) }), { a: {} }, 'a.b: is missing'],
    [z.array(z.int()), [1, 1.5], '1: must be an integer'],
    [z.record(z.string().max(3), z.number()), { long: 1 }, 'long: the name may have 3 characters at most'],
    [z.enum(['a', 'b']), 'c', 'must be one of a, b'],
    [z.union([z.string(), z.boolean()]), 7, 'must be a string, or must be true or false'],
    [z.string().min(2), 'a', 'needs at least 2 characters'],
    [z.array(z.string()).min(1), [], 'is empty'],
    [z.number().positive(), 0, 'must be more than 0'],
    [z.string().regex(/a/), 'b', 'has the wrong form'],
    [z.string().refine(() => false), 'b', 'is not valid'],
    [z.string().refine(() => false, 'is no name'), 'b', 'is no name'],
  ])('%# say what is wrong', (each, value, message) => {
    expect(validate(each, value)).toMatchObject({ message });
  });
});
