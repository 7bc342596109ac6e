import { kindOf } from '../binary.ts';

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
  if (typeof value === 'string') return undefined;
  const kind = kindOf(value);
  if (ArrayBuffer.isView(original)) return 'bytes';
  if (kind === 'Undefined') return inArray || original !== undefined ? kind : undefined;
  if (kind === 'Null') return original === null ? undefined : 'Invalid Date';
  if (kind === 'Number') return Number.isFinite(Number(value)) ? undefined : String(value);
  if (kind !== 'Object') return /^(String|Boolean|Array)$/.test(kind) ? undefined : kind;
  const object = value as object;
  // A copy has the enumerable ones alone.
  if (Object.getOwnPropertySymbols({ ...object }).length > 0) return 'symbol';
  // An instance is carried by its own members: one without any would be lost.
  return isPlain(object) || Object.keys(object).length > 0 ? undefined : 'empty instance';
}

/** Made by braces, `JSON.parse` or `Object.create(null)`, in any realm. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
