import { panels } from './panels.ts';
import {
  type MonitoringType,
  monitoringTypes,
  type Publication,
  type Reading,
  readReading,
  readStatusChange,
  type StatusChange,
} from './reading.ts';
import { Series } from './series.ts';

/** The longest window that a chart shows, and a little more for its left edge. */
const keepSeconds = 320;
const keepChanges = 50;

/** What the page knows of one server. Publications may repeat and be out of order: live, snapshot, history. */
export class Machine {
  readonly #series: Readonly<Record<MonitoringType, Series>>;
  readonly #latest = new Map<MonitoringType, Reading>();
  #changes: StatusChange[] = [];

  constructor() {
    const entries = monitoringTypes.map((type) => [type, new Series(panels[type].lines.length, keepSeconds)]);
    this.#series = Object.fromEntries(entries) as Record<MonitoringType, Series>;
  }

  take(publication: Publication): void {
    const reading = readReading(publication);
    if (reading) this.#takeReading(reading);
    const change = readStatusChange(publication);
    if (change) this.#takeChange(change);
  }

  series(type: MonitoringType): Series {
    return this.#series[type];
  }

  latest(type: MonitoringType): Reading | undefined {
    return this.#latest.get(type);
  }

  /** The newest first. */
  get changes(): readonly StatusChange[] {
    return this.#changes;
  }

  #takeReading(reading: Reading): void {
    const { type, timestampMs } = reading;
    this.#series[type].add(
      timestampMs / 1_000,
      panels[type].lines.map(({ read }) => read(reading)),
    );
    if (timestampMs >= (this.#latest.get(type)?.timestampMs ?? 0)) this.#latest.set(type, reading);
  }

  #takeChange(change: StatusChange): void {
    if (
      this.#changes.some(
        ({ offset, timestampMs }) => offset === change.offset && timestampMs === change.timestampMs,
      )
    )
      return;
    this.#changes = [...this.#changes, change]
      .sort((a, b) => b.timestampMs - a.timestampMs || b.offset - a.offset)
      .slice(0, keepChanges);
  }
}
