import { maxInstantMs } from '../../protocol/fields.ts';
import { utf8 } from '../../protocol/utf8.ts';
import type { Raw } from './parse.ts';
import type { Field } from './tables.ts';

/** By type, what the absence of a field means. Of other types, and in capitals: nothing. */
const defaults: Raw = { s: '', b: false, u: 0, n: 0, i: 0, f: 0, m: 0, x: new Uint8Array() };
/** What an absent payload of a publication means. */
const nullPayload = { format: 'json', bytes: utf8('null') };

function fail(name: string): never {
  throw new RangeError(`invalid ${name}`);
}

/** A message with its defaults, as the types of `frames.ts` have it. Throws where a value can't be one of those. */
export function read(fields: readonly Field[], raw: Raw): Raw {
  const out: Raw = {};
  // Of a subscription that was refused nothing else counts.
  for (const { name, type, many, isList, isPayload, fields: inner } of raw['error']
    ? fields.slice(0, 2)
    : fields) {
    const value = raw[name];
    if (isList) {
      const list = (value ?? []) as readonly unknown[];
      if (many === '*' || list.length > 0)
        out[name] = inner ? list.map((one) => read(inner, one as Raw)) : list;
    } else if (inner) {
      if (value !== undefined) out[name] = read(inner, value as Raw);
      else if (many === '!') fail(name);
    } else if (!isPayload) out[name] = withDefault(name, type, value, out);
    else if (/j/i.test(type)) out['payload'] = payload(raw, type);
  }
  if ((out['after'] as number) > (out['upto'] as number)) fail('after');
  return out;
}

function withDefault(name: string, type: string, given: unknown, { after }: Raw): unknown {
  // The end of a batch; absent: one after its beginning.
  const value = type === 'e' ? given || (after as number) + 1 : (given ?? defaults[type]);
  const max = /i/i.test(type) ? maxInstantMs : type === 'm' ? 1 : Number.MAX_SAFE_INTEGER;
  if (typeof value === 'number' && type !== 'd' && value > max) fail(name);
  if (type === 'm') return value ? 'state' : 'stream';
  return /[A-MP-Z]/.test(type) ? value || undefined : value;
}

function payload({ json, binary }: Raw, type: string): unknown {
  if (json) return { format: 'json', bytes: json };
  if (binary) return { format: 'binary', bytes: binary };
  return type === 'j' ? nullPayload : undefined;
}
