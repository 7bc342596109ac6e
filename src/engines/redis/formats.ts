/**
 * Formats of everything in Redis that a version reads. The first node of a prefix decides on the newest that it knows;
 * all nodes write that one from then on, so that versions that know it can run side by side. A version that does not
 * know it refuses to start.
 */
export interface Formats {
  readonly oldest: number;
  readonly newest: number;
}

export const formats: Formats = { oldest: 1, newest: 1 };

/**
 * The members of a record beside its encoding that nodes of each format read, as flags of `storedBit`. A member that is
 * added takes a new format: before that is in use it is not written.
 */
const besideFlags: Readonly<Record<number, number>> = { 1: 0b11 };

export function besideFlagsOf(format: number): number {
  return besideFlags[format] ?? besideFlagsOf(format - 1);
}

/** The data has a format that this version does not know: to try again is of no use. */
export class FormatError extends Error {
  constructor(format: number, { oldest, newest }: Formats) {
    const known = oldest === newest ? `format ${newest}` : `formats ${oldest} to ${newest}`;
    super(
      `its data has the format ${format}, and this version of Sluice knows ${known}: use the version that wrote it, or another --redis-prefix`,
    );
    this.name = 'FormatError';
  }
}
