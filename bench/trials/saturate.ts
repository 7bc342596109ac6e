import { setTimeout } from 'node:timers/promises';
import type { Received } from '../load/receivers.ts';
import { cpuMeter } from '../support/proc.ts';
import { type Loaded, lostOf } from './trial.ts';

/** How often it looks how far the receivers lag. */
const lookEveryMs = 50;
/** Above the long backlog the rate is lowered, below the short one it is raised. */
const shortBacklogMs = 40;
const longBacklogMs = 80;
/** Relative to the rate that was seen to arrive, which is all that is known to be possible. */
const rise = { climbing: 1.3, holding: 1.1 } as const;
const fall = 0.8;
const leastRate = 20;
/** Under way at any time, even when no receiver is late. */
const freePublications = 8;
/** A single long backlog may come from the machine. */
const lateLooks = 3;
const climbMaxMs = 15_000;
/** From the first long backlog on, until the sustainable rate is found. */
const calmMs = 1500;
const settleMs = 10_000;

/** The rate to ask for next. `arrived`: publications per second that all receivers got lately. */
export function nextRate(rate: number, arrived: number, backlogMs: number, phase: keyof typeof rise): number {
  if (backlogMs > longBacklogMs) return Math.max(leastRate, Math.min(rate, arrived) * fall);
  if (backlogMs > shortBacklogMs) return rate;
  const most = Math.max(leastRate, arrived) * rise[phase] * rise[phase];
  return Math.min(rate * rise[phase], Math.max(rate, most));
}

export interface Saturation {
  readonly publicationsPerSecond: number;
  readonly deliveriesPerSecond: number;
  /** Share of a core that the server took. */
  readonly cpu: number;
  readonly received: Received;
  /** What a receiver that is too late is told of is not. */
  readonly lost: number;
}

export interface SaturateOptions {
  readonly loaded: Loaded;
  readonly topics: readonly string[];
  readonly bytes: number;
  /** Connections that get each publication. */
  readonly receiversEach: number;
  readonly firstRate: number;
  readonly seconds: number;
}

/**
 * Publishes as fast as the receivers can follow: faster while they keep up, slower when they are about a tenth of a
 * second late. Once the rate is found, measures for `seconds`.
 */
export async function saturate(options: SaturateOptions): Promise<Saturation> {
  const { loaded, receiversEach, seconds } = options;
  const { worker, receivers } = loaded;
  await receivers.call('mark');
  const pilot = new Pilot(options);
  const climbUntilMs = performance.now() + climbMaxMs;
  let late = 0;
  while (performance.now() < climbUntilMs && late < lateLooks)
    late = (await pilot.look('climbing')) ? late + 1 : 0;
  await pilot.holdFor(calmMs);
  const cpu = cpuMeter(worker.pid);
  const [beforeMs, before] = [performance.now(), await receivers.call('progress')];
  await receivers.call('restartClocks');
  await pilot.holdFor(seconds * 1000);
  const after = await receivers.call('progress');
  const deliveriesPerSecond = (after - before) / ((performance.now() - beforeMs) / 1000);
  const cpuShare = cpu();
  const { latency, cpu: loadCpu, loopDelayP99Ms } = await receivers.call('read');
  const report = await worker.call('stop');
  await receivers.call('settle', { publications: report.sent * receiversEach, withinMs: settleMs });
  const received = await receivers.call('read');
  return {
    publicationsPerSecond: deliveriesPerSecond / receiversEach,
    deliveriesPerSecond,
    cpu: cpuShare,
    received: { ...received, latency, cpu: loadCpu, loopDelayP99Ms },
    lost: lostOf(
      report,
      { ...received, publications: received.publications + received.missed },
      receiversEach,
    ),
  };
}

/** Looks at what has arrived, and sets the rate accordingly. */
class Pilot {
  readonly #options: SaturateOptions;
  #rate: number;
  #arrived = 0;
  #perSecond = 0;
  #lookedAtMs = performance.now();

  constructor(options: SaturateOptions) {
    this.#options = options;
    this.#rate = options.firstRate;
  }

  async holdFor(milliseconds: number): Promise<void> {
    const untilMs = performance.now() + milliseconds;
    while (performance.now() < untilMs) await this.look('holding');
  }

  /** Returns whether the receivers are late. */
  async look(phase: keyof typeof rise): Promise<boolean> {
    const { loaded, topics, bytes, receiversEach } = this.#options;
    await setTimeout(lookEveryMs);
    const arrived = (await loaded.receivers.call('passed')) / receiversEach;
    const nowMs = performance.now();
    const lately = ((arrived - this.#arrived) / (nowMs - this.#lookedAtMs)) * 1000;
    this.#perSecond = (this.#perSecond + lately) / 2;
    this.#arrived = arrived;
    this.#lookedAtMs = nowMs;
    const sent = await loaded.worker.call('steer', { topics, bytes, rate: this.#rate });
    const backlog = Math.max(0, sent - arrived - freePublications);
    const backlogMs = (backlog / Math.max(this.#perSecond, leastRate)) * 1000;
    this.#rate = nextRate(this.#rate, this.#perSecond, backlogMs, phase);
    return backlogMs > longBacklogMs;
  }
}
