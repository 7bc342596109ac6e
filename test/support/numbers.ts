/** The whole numbers of (after, upto], as ranges of offsets are everywhere. */
export const range = (after: number, upto: number) =>
  Array.from({ length: upto - after }, (_, i) => after + 1 + i);

/** 1, 2, … */
export const upTo = (upto: number) => range(0, upto);
