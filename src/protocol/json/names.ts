import type { NamedField } from '../publication.ts';

/** A point in time loses its unit in JSON, where it is a text: `timestampMs` is `timestamp`. */
export function instantName(name: string): string {
  return name.endsWith('Ms') ? name.slice(0, -2) : name;
}

/** The name of an optional field in JSON. */
export function jsonName({ kind, name }: NamedField): string {
  return kind === 'instant' ? instantName(name) : name;
}
