/** Between two attempts to recover what is missing. */
export const recoveryIntervalMinMs = 1_000;
