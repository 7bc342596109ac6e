/** The gateway's limit for the positions of one subscription. */
export const positionsMax = 1000;
