import {
  type BesideFields,
  type BesideKind,
  besideRows,
  draftBeside,
  type Kinds,
} from '../protocol/publication.ts';

// The fields of a publication that its encoded bytes do not hold, as records store them: one bit for each that there
// is, and their values in the order of the bits.

/** The bits of all fields. */
export const knownFlags = besideRows.reduce((flags, { storedBit }) => flags | (1 << storedBit), 0);

/** The bits of the fields that there are. */
export function flagsOf(beside: BesideFields): number {
  let flags = 0;
  for (const { name, storedBit } of besideRows) if (beside[name] !== undefined) flags |= 1 << storedBit;
  return flags;
}

/** Reads a record from value to value. */
export interface ValueReader {
  text(): string;
  number(): number;
}

const readers: { readonly [K in BesideKind]: (reader: ValueReader) => Kinds[K] } = {
  text: (reader) => reader.text(),
  duration: (reader) => reader.number(),
};

/** Reads the fields of these bits. */
export function readBeside(flags: number, reader: ValueReader): BesideFields | undefined {
  if (flags === 0) return undefined;
  const beside = draftBeside();
  for (const { name, kind, storedBit } of besideRows)
    if ((flags & (1 << storedBit)) !== 0) beside[name] = readers[kind](reader) as never;
  return beside;
}
