/** The widest label, "−300 s", and a gap. */
const labelPx = 50;

/** Returns N such that every N-th tick of an axis, counted from its end, has room for a label. */
export function labelStride(steps: number, axisPx: number): number {
  for (let stride = 1; stride < steps; stride++) {
    if ((axisPx / steps) * stride >= labelPx) return stride;
  }
  return steps;
}
