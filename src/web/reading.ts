/** The part of a monitoring publication that the page uses. */

export const monitoringTypes = ['cpu', 'memory', 'load', 'disk', 'network'] as const;
export type MonitoringType = (typeof monitoringTypes)[number];

export const levels = ['ok', 'warning', 'critical'] as const;
export type Level = (typeof levels)[number];

/** A `monitoring_update`: one sample of one type. `details` are the other members of the payload. */
export interface Reading {
  readonly type: MonitoringType;
  readonly timestampMs: number;
  readonly value: number;
  readonly level: Level;
  readonly details: Readonly<Record<string, unknown>>;
}

/** A `status_change`: a type's level went from one to another. */
export interface StatusChange {
  readonly type: string;
  readonly timestampMs: number;
  readonly offset: number;
  /** Absent at the first sample. */
  readonly from: Level | undefined;
  readonly to: Level;
  readonly value: number | undefined;
  readonly unit: string;
}

/** The part of a publication that the functions below read. */
export interface Publication {
  readonly type: string;
  readonly offset: number;
  readonly timestampMs: number;
  readonly data: unknown;
}

export function readReading({ type, timestampMs, data }: Publication): Reading | undefined {
  if (type !== 'monitoring_update' || !isRecord(data)) return undefined;
  const monitoringType = monitoringTypes.find((candidate) => candidate === data['monitoring_type']);
  const value = numberIn(data, 'value');
  if (!monitoringType || value === undefined) return undefined;
  return { type: monitoringType, timestampMs, value, level: levelOf(data['level']) ?? 'ok', details: data };
}

export function readStatusChange({ type, offset, timestampMs, data }: Publication): StatusChange | undefined {
  if (type !== 'status_change' || !isRecord(data)) return undefined;
  const to = levelOf(data['to']);
  if (!to || typeof data['monitoring_type'] !== 'string') return undefined;
  return {
    type: data['monitoring_type'],
    timestampMs,
    offset,
    from: levelOf(data['from']),
    to,
    value: numberIn(data, 'value'),
    unit: typeof data['unit'] === 'string' ? data['unit'] : '',
  };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function numberIn(record: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = record[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function levelOf(value: unknown): Level | undefined {
  return levels.find((level) => level === value);
}
