export type Level = 'ok' | 'warning' | 'critical';

/** In the unit of the value. */
export interface Thresholds {
  readonly warning: number;
  readonly critical: number;
  /** How far below a threshold the value must fall before its level ends, so that noise around it raises one alarm. */
  readonly margin: number;
}

const rank: Readonly<Record<Level, number>> = { ok: 0, warning: 1, critical: 2 };

function plainLevel(value: number, warning: number, critical: number): Level {
  if (value >= critical) return 'critical';
  return value >= warning ? 'warning' : 'ok';
}

/** The level of a value, where it was at `previous` before. Up at the threshold, down only below the margin. */
export function nextLevel(value: number, thresholds: Thresholds, previous: Level): Level {
  const { warning, critical, margin } = thresholds;
  const rising = plainLevel(value, warning, critical);
  if (rank[rising] >= rank[previous]) return rising;
  const falling = plainLevel(value, warning - margin, critical - margin);
  return rank[falling] < rank[previous] ? falling : previous;
}
