import type { Fields } from './fields.ts';
import type { FieldName, Kinds, NamedField, ValueOf } from './publication.ts';

/** Lengths are judged by the broker. */
const noLimit = Number.POSITIVE_INFINITY;

const readers: { readonly [K in keyof Kinds]: (fields: Fields, name: string) => Kinds[K] | undefined } = {
  text: (fields, name) => fields.optionalText(name, noLimit),
  tags: (fields, name) => fields.textMap(name),
  flag: (fields, name) => fields.trueOrAbsent(name),
  duration: (fields, name) => fields.positive(name),
  instant: (fields, name) => fields.optionalInstant(name),
  integer: (fields, name) => fields.present(name),
};

/** Reads the optional fields of `rows` that a codec has parsed into an object that has all of them. */
export function readOptionalFields<N extends FieldName>(
  fields: Fields,
  rows: readonly (NamedField & { readonly name: N })[],
  into: { -readonly [K in N]: ValueOf<K> },
): void {
  for (const { name, kind } of rows) into[name] = readers[kind](fields, name) as ValueOf<N>;
}
