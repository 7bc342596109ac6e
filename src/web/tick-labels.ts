/** The widest label, "−300 s", and a gap. */
const labelPx = 50;

/** Every which tick of an axis has room for a label, counted from its end: 1, 2 … */
export function labelStride(steps: number, axisPx: number): number {
  for (let stride = 1; stride < steps; stride++) {
    if ((axisPx / steps) * stride >= labelPx) return stride;
  }
  return steps;
}
