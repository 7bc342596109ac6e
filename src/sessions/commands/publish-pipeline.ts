import { type Awaitable, isPending } from '../../awaitable.ts';
import type { SluiceError } from '../../errors.ts';
import type { PublishFields } from '../../protocol/publication.ts';
import type { AppendOutcome } from '../../topics/engine.ts';
import { overtaking, type PublishRuns } from '../../topics/publish-path.ts';

type Outcomes = readonly AppendOutcome[];

/** A publish of a client. */
interface PipelinedPublish {
  readonly fields: PublishFields;
  /** As the client sent it. */
  readonly sent: Pick<PublishFields, 'pipelined'>;
}

/** A publish that waits until those before it are committed. */
interface WaitingPublish extends PipelinedPublish {
  readonly resolve: (outcomes: Awaitable<Outcomes>) => void;
}

/** Publishes for the client, as `Broker.publishRuns` does. */
export type Commit = (runs: PublishRuns) => Awaitable<Outcomes>;

/**
 * Keeps the publishes of one session in order. After one that is refused for now, which its client may send again, the
 * pipeline is broken: those that were pipelined after it (`Publish.pipelined`) are refused too. Those that wait
 * together are given to the engine together: of these, it may commit some after one of another topic that it refuses.
 */
export class PublishPipeline {
  #isBroken = false;
  /** Messages that came before the one that broke the pipeline, and are not decoded yet. */
  #beforeBreak = 0;
  /** Those that came while others are committed; undefined: none is. */
  #waiting: WaitingPublish[] | undefined;

  /** `undecoded`: how many messages that came before the refused publish are not decoded yet. */
  break(undecoded = this.#beforeBreak): void {
    this.#isBroken = true;
    this.#beforeBreak = undecoded;
  }

  /**
   * Call it for each message in the order in which they came, however long they wait then. `begins`: it is a publish
   * whose client has the replies to all before it.
   */
  decoded(begins: boolean): void {
    if (this.#beforeBreak > 0) this.#beforeBreak--;
    else if (begins) this.#isBroken = false;
  }

  /** Why a publish may not be committed now: it would overtake one before it. */
  overtaking({ pipelined }: Pick<PublishFields, 'pipelined'>): SluiceError | undefined {
    return pipelined === true && this.#isBroken ? overtaking() : undefined;
  }

  /** Commits after those before it. Those that wait for the same ones are committed together. */
  publish({ fields, sent }: PipelinedPublish, commit: Commit): Awaitable<Outcomes> {
    if (this.#waiting !== undefined)
      return new Promise((resolve) => this.#waiting?.push({ fields, sent, resolve }));
    const outcomes = commit([[fields]]);
    if (!isPending(outcomes)) return outcomes;
    this.#waiting = [];
    void this.#commitWaiting(outcomes, commit);
    return outcomes;
  }

  async #commitWaiting(first: Promise<Outcomes>, commit: Commit): Promise<void> {
    this.#note(await first);
    for (let next = this.#take(); next.length > 0; next = this.#take()) {
      const outcomes = await commit(runsOf(next));
      this.#note(outcomes);
      for (const [i, { resolve }] of next.entries()) resolve([outcomes[i] as AppendOutcome]);
    }
    this.#waiting = undefined;
  }

  #note(outcomes: Outcomes): void {
    if (outcomes.some((outcome) => !outcome.ok && outcome.error.retry)) this.break();
  }

  /** Takes those that wait, and refuses those that would overtake. */
  #take(): readonly WaitingPublish[] {
    const waiting = this.#waiting?.splice(0) ?? [];
    return waiting.filter(({ sent, resolve }) => {
      const error = this.overtaking(sent);
      if (error !== undefined) resolve([{ ok: false, error }]);
      return error === undefined;
    });
  }
}

/** Each with those that are pipelined after it: what it is refused for may concern them, and no others. */
function runsOf(publishes: readonly WaitingPublish[]): PublishRuns {
  const runs: PublishFields[][] = [];
  for (const { fields, sent } of publishes) {
    const run = sent.pipelined === true ? runs.at(-1) : undefined;
    if (run === undefined) runs.push([fields]);
    else run.push(fields);
  }
  return runs;
}
