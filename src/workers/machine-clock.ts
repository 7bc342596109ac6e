/**
 * Milliseconds on the monotonic clock of the machine, which all its processes share, less those on this process's own
 * (`performance.now()`), whose zero is the start of the process.
 */
const machineAheadMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export function toMachineMs(ownMs: number): number {
  return ownMs + machineAheadMs;
}

export function fromMachineMs(machineMs: number): number {
  return machineMs - machineAheadMs;
}
