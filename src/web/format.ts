/** A number and its unit, which are styled differently. */
export interface Quantity {
  readonly value: string;
  readonly unit: string;
}

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

export function bytes(count: number): Quantity {
  let value = Math.abs(count);
  let index = 0;
  while (value >= 999.5 && index < byteUnits.length - 1) {
    value /= 1_000;
    index++;
  }
  const digits = index === 0 || value >= 99.95 ? 0 : 1;
  return { value: value.toFixed(digits), unit: byteUnits[index] ?? 'B' };
}

export function bytesPerSecond(count: number): Quantity {
  const { value, unit } = bytes(count);
  return { value, unit: `${unit}/s` };
}

export function percent(value: number): Quantity {
  return { value: value >= 99.95 ? value.toFixed(0) : value.toFixed(1), unit: '%' };
}

/** Below 10 ms a tenth matters. */
export function milliseconds(value: number): Quantity {
  if (value >= 10_000) return { value: (value / 1_000).toFixed(1), unit: 's' };
  return { value: value < 10 ? Math.max(0, value).toFixed(1) : value.toFixed(0), unit: 'ms' };
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

export function plain({ value, unit }: Quantity): string {
  return `${value} ${unit}`;
}

/** In the reader's own time zone, 24 hours. */
export function clockTime(timestampMs: number): string {
  return new Date(timestampMs).toLocaleTimeString('en-GB');
}
