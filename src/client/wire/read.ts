import { lastInstantMs } from '../../protocol/fields.ts';
import type { Raw } from './parse.ts';
import type { Field } from './tables.ts';

export const maxInteger: number = Number.MAX_SAFE_INTEGER;

/** The default of an absent field, by its type. Other types, and those in capitals, have none. */
export const defaults: Raw = {
  s: '',
  b: false,
  u: 0,
  n: 0,
  i: 0,
  f: 0,
  m: 0,
  x: new Uint8Array(),
  // `null`, in bytes: the SDK makes no encoder before it is used.
  j: ['json', Uint8Array.of(110, 117, 108, 108)],
};

function fail(name: string): never {
  throw new RangeError(`invalid ${name}`);
}

/** A message with its defaults, of the types in `frames.ts`. Throws if a value is out of range. */
export function read(fields: readonly Field[], raw: Raw): Raw {
  const out: Raw = {};
  // A subscription that was refused has only its topic and error.
  for (const { name, type, many, isList, oneOf, fields: inner } of raw['error']
    ? fields.slice(0, 2)
    : fields) {
    const value = raw[name];
    if (type === 't') out[name] = value && tagsOf(value as readonly Raw[]);
    else if (isList) {
      const list = (value ?? []) as readonly unknown[];
      if (many === '*' || list.length > 0)
        out[name] = inner ? list.map((one) => read(inner, one as Raw)) : list;
    } else if (inner) {
      if (value !== undefined) out[name] = read(inner, value as Raw);
      else if (many === '!') fail(name);
    } else if (!oneOf) out[name] = withDefault(name, type, value, out);
    else {
      const payload = (raw[oneOf] ?? defaults[type]) as readonly unknown[] | undefined;
      out[oneOf] ??= payload && { format: payload[0], bytes: payload[1] };
    }
  }
  if ((out['after'] as number) > (out['upto'] as number)) fail('after');
  return out;
}

function withDefault(name: string, type: string, given: unknown, { after }: Raw): unknown {
  // The end of a batch; if absent it is one after its beginning.
  const value = type === 'e' ? given || (after as number) + 1 : (given ?? defaults[type]);
  const max = /i/i.test(type) ? lastInstantMs : type === 'm' ? 1 : maxInteger;
  if (typeof value === 'number' && type !== 'd' && value > max) fail(name);
  if (type === 'm') return value ? 'state' : 'stream';
  return unlessAbsent(type, value);
}

/** For types in capitals 0, false and an empty text mean absence. */
export function unlessAbsent(type: string, value: unknown): unknown {
  return /[A-MP-Z]/.test(type) ? value || undefined : value;
}

/** A tag may have the name `__proto__`. */
function tagsOf(entries: readonly Raw[]): unknown {
  return Object.fromEntries(entries.map(({ name = '', value = '' }) => [name, value]));
}
