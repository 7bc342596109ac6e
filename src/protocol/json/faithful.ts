import { viewOf } from '../binary.ts';

/**
 * The value as JSON. Throws for values that JSON would change or leave out: `NaN`, a `Map`, a function, bytes within
 * other data.
 */
export function faithfulJson(value: unknown): string {
  return JSON.stringify(value, faithful);
}

/**
 * For `JSON.stringify`: lets each value through unchanged, or throws. `this` holds the value as it was before
 * `toJSON`.
 */
function faithful(this: unknown, name: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[name];
  const problem = problemOf(value, original, Array.isArray(this));
  if (problem !== undefined)
    throw new TypeError(name === '' ? problem : `${problem}, at ${JSON.stringify(name)}`);
  return value;
}

/**
 * `original`: before `toJSON`, `value`: after. A member of an object that is undefined is as good as absent;
 * an element isn't.
 */
function problemOf(value: unknown, original: unknown, inArray: boolean): string | undefined {
  switch (typeof value) {
    case 'undefined':
      return inArray || original !== undefined ? 'undefined' : undefined;
    case 'bigint':
    case 'function':
    case 'symbol':
      return `a ${typeof value}`;
    case 'number':
      return Number.isFinite(value) ? undefined : `${value}`;
    case 'object':
      if (value === null) return original === null ? undefined : 'an invalid Date';
      return objectProblem(value, original);
    default:
      return undefined;
  }
}

/** Objects that `JSON.stringify` writes as the text, number or boolean inside. */
const box = /(Number|String|Boolean)\]$/;

function objectProblem(value: object, original: unknown): string | undefined {
  if (viewOf(original) || viewOf(value)) return 'bytes inside of other data';
  if (Array.isArray(value)) return undefined;
  const tag = Object.prototype.toString.call(value);
  if (box.test(tag)) return tag === '[object Number]' && Number.isNaN(Number(value)) ? 'NaN' : undefined;
  if (tag !== '[object Object]') return tag;
  if (
    Object.getOwnPropertySymbols(value).some((name) =>
      Object.prototype.propertyIsEnumerable.call(value, name),
    )
  ) {
    return 'a symbol';
  }
  // An instance is carried by its own members: one without any would be lost.
  if (!isPlain(value) && Object.keys(value).length === 0) return 'an instance without members';
  return undefined;
}

/** Made by braces, `JSON.parse` or `Object.create(null)`, in any realm. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
