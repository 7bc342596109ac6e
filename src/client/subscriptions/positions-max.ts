/** The gateway takes a list of up to this many positions. */
export const positionsMax = 1000;
