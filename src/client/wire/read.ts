import type { Raw } from './parse.ts';
import type { Field } from './tables.ts';

/** A message with its defaults, of the types in `frames.ts`. Throws if a value is out of range. */
export function read(fields: readonly Field[], raw: Raw): Raw {
  const out: Raw = {};
  // A subscription that was refused has only its topic and error.
  for (const { name, type, many, isList, isOptional, standard, max, oneOf, fields: inner } of raw['error']
    ? fields.slice(0, 2)
    : fields) {
    const value = raw[name] ?? standard;
    if (type === 't') out[name] = value && tagsOf(value as readonly Raw[]);
    else if (isList) {
      const list = (value ?? []) as readonly unknown[];
      if (many === '*' || list.length > 0)
        out[name] = inner ? list.map((one) => read(inner, one as Raw)) : list;
    } else if (oneOf) {
      const payload = (raw[oneOf] ?? standard) as readonly unknown[] | undefined;
      out[oneOf] ??= payload && { format: payload[0], bytes: payload[1] };
    } else if (inner) {
      if (value) out[name] = read(inner, value as Raw);
      else if (many === '!') throw new RangeError();
    } else {
      // The end of a batch; if absent it is one after its beginning.
      const given = type === 'e' ? value || (out['after'] as number) + 1 : value;
      if ((given as number) > (max as number)) throw new RangeError();
      out[name] = type === 'm' ? (given ? 'state' : 'stream') : isOptional ? given || undefined : given;
    }
  }
  if ((out['after'] as number) > (out['upto'] as number)) throw new RangeError();
  return out;
}

/** A tag may have the name `__proto__`. */
function tagsOf(entries: readonly Raw[]): unknown {
  return Object.fromEntries(entries.map(({ 0: name = '', 1: value = '' }) => [name, value]));
}
