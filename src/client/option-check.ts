/** The least that a number may be, by the name of the option. */
const leasts: Readonly<Record<string, number>> = {
  ...{ maxReconnectAttempts: 0, maxAttempts: 0, delaysMs: 0, fallbackPollingInterval: 0, maxEntries: 0 },
  ...{ intervalMs: 1, timeoutMs: 1, commandTimeoutMs: 1, connectTimeoutMs: 1, leaderTimeoutMs: 1 },
};

/** Throws a `TypeError` that names the first number that would stop the client, or make it flood the gateway. */
export function checkOptions(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    const least = leasts[name];
    const all: unknown[] = name === 'delaysMs' ? [value].flat() : [value];
    if (
      least !== undefined &&
      value != null &&
      !all.every((each) => typeof each === 'number' && each >= least)
    )
      throw new TypeError(`The option ${name} must be at least ${least}`);
    if (/^(reconnect|heartbeat|offlineQueue)$/.test(name)) checkOptions(value ?? {});
  }
}
