import type { Target } from './queries.ts';

/** The units of Grafana. */
export type Unit = 'short' | 'ops' | 's' | 'bytes' | 'Bps' | 'percentunit';

/** A colour, and the value from which it is used. */
export type Step = readonly [color: string, from: number | null];

export interface Panel {
  /** `figure`: the last value as text; `stacked`: the lines add up to a total. */
  readonly kind: 'figure' | 'lines' | 'stacked';
  readonly title: string;
  readonly unit: Unit;
  readonly targets: readonly Target[];
  readonly description?: string;
  readonly max?: number;
  readonly steps?: readonly Step[];
}

export interface Section {
  readonly title: string;
  readonly panels: readonly Panel[];
}

type Rest = Pick<Panel, 'description' | 'max' | 'steps'>;

function panel(kind: Panel['kind']) {
  return (title: string, unit: Unit, targets: readonly Target[], rest: Rest = {}): Panel => ({
    kind,
    title,
    unit,
    targets,
    ...rest,
  });
}

export const figure = panel('figure');
export const lines = panel('lines');
export const stacked = panel('stacked');
