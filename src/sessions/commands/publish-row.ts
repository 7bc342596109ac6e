import { type Awaitable, isPending } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { PublishFields } from '../../protocol/publication.ts';
import type { AppendOutcome } from '../../topics/engine.ts';

type Outcomes = readonly AppendOutcome[];

/** What a client publishes. */
interface Wanted {
  readonly fields: PublishFields;
  /** As the client sent it. */
  readonly sent: Pick<PublishFields, 'pipelined'>;
}

/** It waits until those before it are committed. */
interface Waiting extends Wanted {
  readonly resolve: (outcomes: Awaitable<Outcomes>) => void;
}

/** Publishes for the client. Never rejects. */
export type Commit = (publishes: readonly PublishFields[]) => Awaitable<Outcomes>;

/**
 * Keeps the publishes of one session in order. After one that is refused for now, which its client may send again, the
 * row is broken: those that were sent in a row with it are refused too (`Publish.pipelined`). So none is committed
 * before the outcome of the one before it is known.
 */
export class PublishRow {
  #isBroken = false;
  /** Messages that came before the one that broke the row, and are not decoded yet. */
  #beforeBreak = 0;
  /** Those that came while others are committed; undefined: none is. */
  #waiting: Waiting[] | undefined;

  /** `undecoded`: how many messages that came before the refused publish are not decoded yet. */
  break(undecoded = this.#beforeBreak): void {
    this.#isBroken = true;
    this.#beforeBreak = undecoded;
  }

  /**
   * Call it for each message in the order in which they came, however long they wait then. `beginsRow`: it is a publish
   * whose client has the replies to all before it.
   */
  decoded(beginsRow: boolean): void {
    if (this.#beforeBreak > 0) this.#beforeBreak--;
    else if (beginsRow) this.#isBroken = false;
  }

  /** Why a publish may not be committed now: it would overtake one before it. */
  overtaking({ pipelined }: Pick<PublishFields, 'pipelined'>): SluiceError | undefined {
    if (pipelined !== true || !this.#isBroken) return undefined;
    return new SluiceError('rate_limited', 'a publish before it was refused for now', { retryAfterMs: 1 });
  }

  /** Commits after those before it. Those that wait for the same ones are committed together, row by row. */
  publish(wanted: Wanted, commit: Commit): Awaitable<Outcomes> {
    if (this.#waiting !== undefined)
      return new Promise((resolve) => this.#waiting?.push({ ...wanted, resolve }));
    const outcomes = commit([wanted.fields]);
    if (!isPending(outcomes)) return outcomes;
    this.#waiting = [];
    void this.#commitWaiting(outcomes, commit);
    return outcomes;
  }

  async #commitWaiting(first: Promise<Outcomes>, commit: Commit): Promise<void> {
    this.#note(await first);
    for (let rows = this.#takeRows(); rows.length > 0; rows = this.#takeRows())
      await Promise.all(rows.map((row) => this.#commitRow(row, commit)));
    this.#waiting = undefined;
  }

  async #commitRow(row: readonly Waiting[], commit: Commit): Promise<void> {
    const outcomes = await commit(row.map(({ fields }) => fields));
    this.#note(outcomes);
    for (const [i, { resolve }] of row.entries()) resolve([outcomes[i] as AppendOutcome]);
  }

  #note(outcomes: Outcomes): void {
    if (outcomes.some((outcome) => !outcome.ok && outcome.error.retry)) this.break();
  }

  /**
   * Takes those that wait, and refuses those that would overtake. Each row is a call of its own: what one publish of a
   * call is refused for may concern those after it.
   */
  #takeRows(): readonly (readonly Waiting[])[] {
    const rows: Waiting[][] = [];
    for (const each of this.#waiting?.splice(0) ?? []) {
      const error = this.overtaking(each.sent);
      const row = each.sent.pipelined === true ? rows.at(-1) : undefined;
      if (error !== undefined) each.resolve([{ ok: false, error }]);
      else if (row === undefined) rows.push([each]);
      else row.push(each);
    }
    return rows;
  }
}
