import { createHash } from 'node:crypto';
import { whenDone } from '../../src/awaitable.ts';
import type { Position, PublishFields } from '../../src/protocol/frames.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import { utf8 } from '../../src/protocol/utf8.ts';
import type { AppendOutcome } from '../../src/topics/engine.ts';
import type { StoredPublication } from '../../src/topics/publication.ts';
import type { ModelClient } from './client.ts';
import type { Gateway } from './gateway.ts';
import { heardOf, type Model, type Numbering } from './model.ts';
import { SdkClient } from './sdk-client.ts';
import { check } from './subscription.ts';

export type Fields = Partial<PublishFields> & Pick<PublishFields, 'topic'> & { readonly size: number };

/** The same in every publication, and nothing that deflate alone would make smaller. */
const noise = createHash('shake256', { outputLength: 300 }).update('').digest('base64');

/** What was published, by whom, and what its publishers were told. */
export class Published {
  readonly #model: Model;
  readonly #isShared: boolean;
  /** Publishes without an outcome yet. */
  readonly #underWay = new Map<object, Gateway>();
  /** A client that sends it itself, or what is in the process of a gateway. */
  readonly #publishers = new Map<number, object>();
  readonly #topics = new Map<number, string>();
  readonly #outcomes = new Map<number, AppendOutcome>();
  /** Clients were told that it is not known what became of them. */
  readonly #unknown = new Set<number>();
  /** The engine has failed. */
  hasFailed = false;
  /** What was committed may be gone from all histories before any node hears of it again. */
  mayBeUnheard = false;
  #count = 0;

  /** `isShared`: nodes share a log. */
  constructor(model: Model, isShared: boolean) {
    this.#model = model;
    this.#isShared = isShared;
  }

  get count(): number {
    return this.#count;
  }

  /** Each publication is known by the number in its payload. `isHeard`: whether publishers hear of the outcomes. */
  publish(gateway: Gateway, publications: readonly Fields[], isHeard: () => boolean): void {
    const numbers = publications.map(() => this.#count++);
    const publishes = publications.map(({ size, ...fields }, i): PublishFields => {
      const bytes = utf8(JSON.stringify(payloadOf(numbers[i] as number, size)));
      return publishOf({ ...fields, type: 'update', payload: { format: 'json', bytes } });
    });
    const publish = {};
    this.#underWay.set(publish, gateway);
    for (const [i, n] of numbers.entries()) {
      this.#publishers.set(n, gateway);
      this.#topics.set(n, publishes[i]?.topic as string);
    }
    void whenDone(gateway.broker.publish(publishes), (outcomes) => {
      this.#underWay.delete(publish);
      if (!isHeard()) return;
      for (const [i, outcome] of outcomes.entries()) this.#outcomes.set(numbers[i] as number, outcome);
    });
  }

  publishBy(client: ModelClient, { size, ...fields }: Fields): void {
    const n = this.#count++;
    this.#topics.set(n, fields.topic);
    this.#publishers.set(n, client instanceof SdkClient ? (client.tab ?? client) : client);
    void client.publish?.(payloadOf(n, size), fields).then(
      (position) => this.#outcomes.set(n, { ok: true, ...position }),
      () => this.#unknown.add(n),
    );
  }

  /** Whether one of these has still to tell an outcome. */
  isWaiting(gateways: readonly Gateway[]): boolean {
    return [...this.#underWay.values()].some((gateway) => gateways.includes(gateway));
  }

  check(): void {
    this.#checkCommitted();
    this.#checkExpiries();
  }

  /**
   * Acknowledged means committed, once by each engine; refused means never. What a publisher has published is in the
   * order of its calls. What its client gave up may be committed later, and so may what was not acknowledged where the
   * engine has failed.
   */
  #checkCommitted(): void {
    /** By number: where each engine has it. */
    const committed = new Map<number, Map<number, string>>();
    const mayFail = this.hasFailed || this.#isShared;
    for (const numbering of this.#numberings()) {
      const { engine } = numbering;
      const newest = new Map<object, number>();
      for (const each of heardOf(numbering)) {
        const n = numberOf(each.payload.bytes);
        if (n === undefined) continue;
        const places = committed.get(n) ?? new Map<number, string>();
        committed.set(n, places);
        // An engine that begins a new numbering of what it has does not commit it again.
        const place = `${each.offset} ${each.seq}`;
        check((places.get(engine) ?? place) === place, 'committed more than once', n, place, [...places]);
        places.set(engine, place);
        const publisher = this.#publishers.get(n);
        const mayBeLate = this.#unknown.has(n) || (mayFail && this.#outcomes.get(n)?.ok !== true);
        if (publisher === undefined || mayBeLate) continue;
        const before = newest.get(publisher) ?? -1;
        const isInOrder = before < n || this.#wasLost(engine, places);
        check(isInOrder, 'not in the order of its publisher', each.topic, before, n);
        newest.set(publisher, Math.max(before, n));
      }
    }
    for (const [n, outcome] of this.#outcomes) {
      // What a node had asked for when it lost its connection may have been done.
      if (!outcome.ok && this.#isShared) continue;
      if (outcome.ok && this.mayBeUnheard && !this.#isHeard(n, outcome)) continue;
      check(committed.has(n) === outcome.ok, 'committed though refused, or the reverse', n, outcome);
    }
  }

  /**
   * What an engine before this one had, and lost with its messageId, is new to this one. Where its acknowledgement was
   * lost too, its publisher sends it again, and a gateway may have passed on a later one by then. Without a shared
   * engine the gateway ends with what it has.
   */
  #wasLost(engine: number, places: ReadonlyMap<number, string>): boolean {
    return this.#isShared && [...places.keys()].some((former) => former < engine);
  }

  /** Whether something is known to be where it was acknowledged. */
  #isHeard(n: number, { epoch, offset }: Position): boolean {
    return this.#model.get(this.#topics.get(n) as string, epoch, offset) !== undefined;
  }

  /** What was not published is the removal of a value that was the newest of its key and had expired. */
  #checkExpiries(): void {
    for (const numbering of this.#numberings()) {
      const { epoch } = numbering;
      const newest = new Map<string, StoredPublication>();
      for (const publication of heardOf(numbering)) {
        const { key = '', topic, payload, publishedAtMs } = publication;
        const before = newest.get(key);
        newest.set(key, publication);
        if (numberOf(payload.bytes) !== undefined) continue;
        // Where some were not heard of, it is not known what there was.
        if (before === undefined && heardOf(numbering).length < numbering.publications.length) continue;
        const isDue = before !== undefined && before.removed !== true && before.expiresAtMs <= publishedAtMs;
        check(isDue, 'removed, though it had not expired', topic, epoch, publication, before);
      }
    }
  }

  *#numberings(): Iterable<Numbering> {
    for (const topic of this.#model.topics()) yield* this.#model.numberings(topic);
  }
}

function payloadOf(n: number, size: number): object {
  return { n, pad: noise.slice(0, size) };
}

function numberOf(payload: Uint8Array): number | undefined {
  const value = JSON.parse(Buffer.from(payload).toString()) as { n: number } | null;
  return value?.n;
}
