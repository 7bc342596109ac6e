import { maxInstantMs } from '../../protocol/fields.ts';
import { utf8 } from '../../protocol/utf8.ts';
import type { Raw } from './parse.ts';
import type { Field } from './tables.ts';

const noBytes = new Uint8Array();
/** What an absent payload of a publication means. */
const nullPayload = { format: 'json', bytes: utf8('null') };

function fail(name: string): never {
  throw new RangeError(`invalid ${name}`);
}

/** A message with its defaults, as the types of `frames.ts` have it. Throws where a value can't be one of those. */
export function read(fields: readonly Field[], raw: Raw): Raw {
  const out: Raw = {};
  // Of a subscription that was refused nothing else counts.
  for (const { name, type, many, isList, fields: inner } of raw['error'] ? fields.slice(0, 2) : fields) {
    const value = raw[name];
    if (isList) {
      const list = (value ?? []) as readonly unknown[];
      if (many === '*' || list.length > 0)
        out[name] = inner ? list.map((one) => read(inner, one as Raw)) : list;
    } else if (inner) {
      if (value !== undefined) out[name] = read(inner, value as Raw);
      else if (many === '!') fail(name);
    } else readValue(out, raw, name, type);
  }
  if ((out['after'] as number) > (out['upto'] as number)) fail('after');
  return out;
}

function readValue(out: Raw, raw: Raw, name: string, type: string): void {
  const value = raw[name];
  if (
    typeof value === 'number' &&
    type !== 'd' &&
    !(value <= (type === 'i' || type === 'I' ? maxInstantMs : Number.MAX_SAFE_INTEGER))
  )
    fail(name);
  switch (type) {
    case 's':
      out[name] = value ?? '';
      break;
    case 'b':
      out[name] = value ?? false;
      break;
    case 'u':
    case 'n':
    case 'i':
    case 'f':
      out[name] = value ?? 0;
      break;
    case 'e':
      out[name] = value || (out['after'] as number) + 1;
      if (!((out[name] as number) <= Number.MAX_SAFE_INTEGER)) fail(name);
      break;
    case 'N':
    case 'O':
    case 't':
      out[name] = value;
      break;
    case 'x':
      out[name] = value ?? noBytes;
      break;
    case 'm':
      if (((value ?? 0) as number) > 1) fail(name);
      out[name] = value ? 'state' : 'stream';
      break;
    case 'j':
    case 'J':
      out['payload'] = payload(raw, type);
      break;
    case 'k':
    case 'K':
      break;
    default:
      out[name] = value || undefined;
  }
}

function payload({ json, binary }: Raw, type: string): unknown {
  if (json) return { format: 'json', bytes: json };
  if (binary) return { format: 'binary', bytes: binary };
  return type === 'j' ? nullPayload : undefined;
}
