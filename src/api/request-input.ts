import { SluiceError } from '../errors.ts';
import type { Route } from './route.ts';
import { validated } from './validate.ts';

/** The parameters of the path, as the route's schema has them. `raw`: percent-encoded. Throws `invalid_request`. */
export function readParams({ params }: Route, raw: Readonly<Record<string, string>>): unknown {
  if (params === undefined) return raw;
  const decoded: Record<string, string> = {};
  for (const name in raw) decoded[name] = percentDecoded(raw[name]!);
  return validated(params, decoded);
}

function percentDecoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new SluiceError('invalid_request', 'the path is not percent-encoded UTF-8');
  }
}

/** The query, as the route's schema has it; undefined: the route takes none. Throws `invalid_request`. */
export function readQuery({ query: schema }: Route, query: string): unknown {
  if (schema === undefined) return undefined;
  const values: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(query)) {
    if (name in values) {
      throw new SluiceError('invalid_request', `${JSON.stringify(name)} is given twice in the query`);
    }
    values[name] = value;
  }
  return validated(schema, { ...values });
}
