/**
 * The difference in milliseconds between the machine's monotonic clock, which all its processes share, and
 * `performance.now()`, which counts from the start of this process.
 */
const machineAheadMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export function toMachineMs(ownMs: number): number {
  return ownMs + machineAheadMs;
}

export function fromMachineMs(machineMs: number): number {
  return machineMs - machineAheadMs;
}
