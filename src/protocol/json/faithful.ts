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
  if (isFaithful(value, original, Array.isArray(this))) return value;
  const what = typeof value === 'number' ? value : kindOf(original);
  throw new TypeError(`not JSON: ${what}, at ${JSON.stringify(name)}`);
}

/** `original`: before `toJSON`, `value`: after. */
function isFaithful(value: unknown, original: unknown, inArray: boolean): boolean {
  if (typeof value === 'string') return true;
  if (ArrayBuffer.isView(original)) return false;
  const kind = kindOf(value);
  // A member of an object that is undefined is as good as absent; an element isn't.
  if (kind === 'Undefined') return !inArray && original === undefined;
  // An invalid date becomes null.
  if (kind === 'Null') return original === null;
  if (kind === 'Number') return Number.isFinite(Number(value));
  if (kind !== 'Object') return /^(String|Boolean|Array)$/.test(kind);
  const object = value as object;
  // An instance is carried by its own members: one without any would be lost, and one with elements is a list, such as
  // bytes within a proxy. A copy has the enumerable members alone.
  return (
    !Object.getOwnPropertySymbols({ ...object }).length &&
    (isPlain(object) || (Object.keys(object).length > 0 && !(0 in object)))
  );
}

/** Made by braces, `JSON.parse` or `Object.create(null)`, in any realm. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
