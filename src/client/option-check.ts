/** Throws a `TypeError` that names the first number that would stop the client, or make it flood the gateway. */
export function checkOptions(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    if (/^(reconnect|heartbeat|offlineQueue)$/.test(name)) checkOptions(value ?? {});
    if (!/^max|Ms$|Interval$/.test(name) || value == null) continue;
    const least = /^(max|delays|fallback)/.test(name) ? 0 : 1;
    const all: unknown[] = [value].flat(name === 'delaysMs' ? 1 : 0);
    if (!all.every((each) => typeof each === 'number' && each >= least))
      throw new TypeError(`The option ${name} must be at least ${least}`);
  }
}
