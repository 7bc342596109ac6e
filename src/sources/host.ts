import { hostname } from 'node:os';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { PublishFields } from '../protocol/frames.ts';
import { publishOf } from '../protocol/publication.ts';
import { type Level, nextLevel, type Thresholds } from './level.ts';
import {
  type MonitoringType,
  machineSampler,
  monitoringTypes,
  type Sample,
  type Sampler,
} from './sampler.ts';
import { type Source, type SourceClock, type SourcePublish, systemClock } from './source.ts';

/** Percent. The network has no threshold, because its capacity is unknown. */
const defaultThresholds: Partial<Readonly<Record<MonitoringType, Thresholds>>> = {
  cpu: { warning: 80, critical: 95, margin: 5 },
  memory: { warning: 85, critical: 95, margin: 3 },
  load: { warning: 100, critical: 200, margin: 10 },
  disk: { warning: 85, critical: 95, margin: 2 },
};

export interface HostSourceOptions {
  readonly intervalMs: number;
  readonly publish: SourcePublish;
  readonly log: Pick<Log, 'error'>;
  readonly metrics: Pick<Metrics, 'sourceErrorsTotal'>;
  readonly sampler?: Sampler;
  readonly clock?: SourceClock;
  readonly thresholds?: Partial<Readonly<Record<MonitoringType, Thresholds>>>;
  /** Default: this machine's name. */
  readonly serverId?: string;
}

/** A name that is valid in a topic, a path segment and a tag. */
export function serverIdOf(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9_\-.]/g, '-').slice(0, 100);
  return /^\.{0,2}$/.test(safe) ? 'localhost' : safe;
}

/**
 * This machine's CPU, memory, load, disk and network, as state of `server:{name}`: under the key of each monitoring
 * type its newest sample, and under `status:{type}` the last change of its level. Changes go out together with the
 * sample that made them.
 *
 * A sampler that hangs or fails affects no other: what is ready when the next interval begins is published then.
 */
export class HostSource implements Source {
  readonly name = 'host';
  readonly topic: string;
  readonly #options: HostSourceOptions;
  readonly #sampler: Sampler;
  readonly #clock: SourceClock;
  readonly #thresholds: HostSourceOptions['thresholds'] & object;
  readonly #serverId: string;
  readonly #levels = new Map<MonitoringType, Level>();
  readonly #running = new Set<MonitoringType>();
  /** By key: if publishing is slower than sampling, only the newest sample waits. */
  readonly #ready = new Map<string, PublishFields>();
  #publishing: Promise<void> | undefined;
  #stopTicking: (() => void) | undefined;

  constructor(options: HostSourceOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#sampler = options.sampler ?? machineSampler();
    this.#thresholds = options.thresholds ?? defaultThresholds;
    this.#serverId = serverIdOf(options.serverId ?? hostname());
    this.topic = `server:${this.#serverId}`;
  }

  start(): void {
    if (this.#stopTicking) return;
    this.#stopTicking = this.#clock.every(this.#options.intervalMs, () => this.#tick());
    this.#tick();
  }

  async stop(): Promise<void> {
    this.#stopTicking?.();
    this.#stopTicking = undefined;
    this.#ready.clear();
    await this.#publishing;
  }

  #tick(): void {
    this.#flush();
    for (const type of monitoringTypes) {
      if (!this.#running.has(type)) void this.#sample(type);
    }
  }

  async #sample(type: MonitoringType): Promise<void> {
    this.#running.add(type);
    try {
      this.#take(type, await this.#sampler[type]());
    } catch (error) {
      this.#failed(error, `cannot sample ${type}`);
    } finally {
      this.#running.delete(type);
      if (this.#running.size === 0) this.#flush();
    }
  }

  #take(type: MonitoringType, sample: Sample): void {
    const { value, unit, details } = sample;
    const previous = this.#levels.get(type);
    const thresholds = this.#thresholds[type];
    const level = thresholds ? nextLevel(value, thresholds, previous ?? 'ok') : 'ok';
    this.#levels.set(type, level);
    const base = { server_id: this.#serverId, monitoring_type: type };
    this.#add('monitoring_update', type, type, level, { ...base, value, unit, level, ...details });
    // Also at the first sample, so that the snapshot of a later subscriber has it.
    if (level !== previous) {
      const change = {
        from: previous ?? null,
        to: level,
        value,
        unit,
        ...thresholdOf(thresholds, previous, level),
      };
      this.#add('status_change', `status:${type}`, type, level, { ...base, ...change });
    }
  }

  #add(
    kind: string,
    key: string,
    type: MonitoringType,
    level: Level,
    data: Readonly<Record<string, unknown>>,
  ): void {
    const fields = publishOf({
      topic: this.topic,
      type: kind,
      key,
      tags: { server_id: this.#serverId, monitoring_type: type, level },
      timestampMs: this.#clock.now(),
      payload: { format: 'json', bytes: Buffer.from(JSON.stringify(data)) },
    });
    this.#ready.set(key, fields);
  }

  #flush(): void {
    if (!this.#stopTicking || this.#publishing || this.#ready.size === 0) return;
    const fields = [...this.#ready.values()];
    this.#ready.clear();
    this.#publishing = this.#publish(fields);
  }

  async #publish(fields: readonly PublishFields[]): Promise<void> {
    try {
      await this.#options.publish(fields);
    } catch (error) {
      this.#failed(error, 'cannot publish');
      this.#keep(fields);
    } finally {
      this.#publishing = undefined;
    }
  }

  /** For the next interval, unless something newer is ready: a change of level is not published again. */
  #keep(fields: readonly PublishFields[]): void {
    for (const field of fields) {
      if (field.key !== undefined && !this.#ready.has(field.key)) this.#ready.set(field.key, field);
    }
  }

  #failed(error: unknown, message: string): void {
    this.#options.metrics.sourceErrorsTotal.inc({ source: this.name });
    this.#options.log.error({ err: error, source: this.name }, message);
  }
}

/** The threshold that was crossed: the new level's on the way up, the old one's on the way down. */
function thresholdOf(
  thresholds: Thresholds | undefined,
  previous: Level | undefined,
  level: Level,
): { readonly threshold?: number } {
  if (!thresholds) return {};
  if (level === 'critical') return { threshold: thresholds.critical };
  if (level === 'warning' && previous !== 'critical') return { threshold: thresholds.warning };
  if (previous === undefined) return {};
  return { threshold: previous === 'critical' ? thresholds.critical : thresholds.warning };
}
