import type { Awaitable } from '../awaitable.ts';
import { nullPayload } from '../protocol/payload.ts';
import type { PublishFields } from '../protocol/publication.ts';
import { publishOf } from '../protocol/publication.ts';
import type { AppendOutcome } from './engine.ts';
import type { Topic } from './topic.ts';

/** The topic that it publishes to. */
const probeTopic = '$probe';

/** Probes that are asked for within this time share one: each is a commit, and any client may ask. */
const probeEveryMs = 1000;

interface ProbedBroker {
  publish(publishes: readonly PublishFields[]): Awaitable<readonly AppendOutcome[]>;
  find(name: string): Topic | undefined;
}

/** An engine that takes longer than this serves no publisher. */
const timeoutMs = 2000;

/** Finds out whether the engine works, by the whole loop: a publish, and its return by the feed. */
export class EngineProbe {
  readonly #broker: ProbedBroker;
  readonly #monotonicMs: () => number;
  #isUnderWay = false;
  #last: { readonly atMs: number; readonly problem: Promise<string | undefined> } | undefined;

  constructor(broker: ProbedBroker, monotonicMs: () => number) {
    this.#broker = broker;
    this.#monotonicMs = monotonicMs;
  }

  /** What does not work; undefined: it works. */
  problem(): Promise<string | undefined> {
    const nowMs = this.#monotonicMs();
    if (this.#last === undefined || nowMs - this.#last.atMs >= probeEveryMs)
      this.#last = { atMs: nowMs, problem: this.#probe() };
    return this.#last.problem;
  }

  /** While an earlier probe is under way none is sent: an engine that hangs would collect them. */
  async #probe(): Promise<string | undefined> {
    if (this.#isUnderWay) return 'the engine does not answer';
    this.#isUnderWay = true;
    const published = this.#published().finally(() => {
      this.#isUnderWay = false;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, `the engine did not answer within ${timeoutMs} ms`);
    });
    return Promise.race([published, late]).finally(() => clearTimeout(timer));
  }

  async #published(): Promise<string | undefined> {
    const [outcome] = await this.#broker.publish([
      publishOf({ topic: probeTopic, type: 'probe', payload: nullPayload, ttlMs: 1000 }),
    ]);
    if (outcome === undefined || !outcome.ok) return outcome?.error.message ?? 'no answer';
    return (this.#broker.find(probeTopic)?.ring.newest ?? 0) >= outcome.offset
      ? undefined
      : 'the feed lags behind the engine';
  }
}
