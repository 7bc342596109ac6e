/**
 * The formats of the data in Redis that a version reads. The first node of a prefix chooses the newest that it knows.
 * All nodes write that format from then on, so that versions that know it can run side by side. A version that does not
 * know it refuses to start.
 */
export interface Formats {
  readonly oldest: number;
  readonly newest: number;
}

export const formats: Formats = { oldest: 1, newest: 1 };

/**
 * By format: the members of a record beside its encoding that nodes read, as flags of `storedBit`. An added member
 * takes a new format, and is written only once that format is in use.
 */
const besideFlags: Readonly<Record<number, number>> = { 1: 0b11 };

export function besideFlagsOf(format: number): number {
  return besideFlags[format] ?? besideFlagsOf(format - 1);
}

/** The data has a format that this version does not know, so trying again does not help. */
export class FormatError extends Error {
  constructor(format: number, { oldest, newest }: Formats) {
    const supported = oldest === newest ? `format ${newest}` : `formats ${oldest} to ${newest}`;
    super(
      `its data has the format ${format}, and this version of Sluice knows ${supported}: use the version that wrote it, or another --redis-prefix`,
    );
    this.name = 'FormatError';
  }
}
