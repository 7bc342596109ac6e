import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Metrics } from '../metrics.ts';
import { nullPayload } from '../protocol/payload.ts';
import { publishOf } from '../protocol/publication.ts';
import type { AppendRetry } from './append-retry.ts';
import type { AppendRequest } from './engine.ts';
import type { StoredPublication } from './publication.ts';
import type { Topic } from './topic.ts';

/** A value of a state topic that has outlived its TTL. */
export interface ExpiredValue {
  readonly topic: Topic;
  readonly publication: StoredPublication;
}

export interface KeyExpiryOptions {
  readonly appendRetry: AppendRetry;
  readonly metrics: Pick<Metrics, 'ringEvictionsTotal'>;
  /** Milliseconds since 1970 on the clock of TTLs. */
  readonly nowMs: () => number;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs: () => number;
  /** Milliseconds since 1970 by the wall clock. */
  readonly wallMs: () => number;
}

/** Removals of one append. Others have their turn before the next: one takes some 10 us, and its frames as long. */
const removalsAtOnce = 200;

/**
 * Removes values of state topics that have outlived their TTL, by appending their removal. Where the engine does not
 * have the value any more (a Redis that evicts keys), it is removed as long as nothing else was published that this
 * node has not heard of: that might be its removal by another node.
 */
export class KeyExpiry {
  readonly #options: KeyExpiryOptions;
  /** Values that the engine does not have. */
  readonly #unknown = new WeakSet<StoredPublication>();

  constructor(options: KeyExpiryOptions) {
    this.#options = options;
  }

  /** Asks the engine once for each; what it could not do comes up again at a later sweep. */
  async remove(all: readonly ExpiredValue[]): Promise<void> {
    for (let at = 0; at < all.length; at += removalsAtOnce) {
      if (at > 0) await nextTurn();
      await this.#removeSome(all.slice(at, at + removalsAtOnce));
    }
  }

  async #removeSome(all: readonly ExpiredValue[]): Promise<void> {
    // Since the turn of the sweep others may have been published.
    const some = all.filter(
      ({ topic, publication }) => topic.state?.get(publication.key ?? '') === publication,
    );
    const isUnknown = ({ publication }: ExpiredValue) => this.#unknown.has(publication);
    // First, because the positions that they name are those before this batch.
    const unknown = some.filter(isUnknown);
    const expired = [...unknown, ...some.filter((each) => !isUnknown(each))];
    const ahead = new Map<Topic, number>();
    const { appendRetry, metrics, nowMs, monotonicMs, wallMs } = this.#options;
    const publishedAtMs = nowMs();
    const acceptedAtMs = monotonicMs();
    const timestampMs = wallMs();
    const requests = expired.map(({ topic, publication }, i): AppendRequest => {
      const { type, key, tags, offset } = publication;
      const fields = publishOf({ topic: topic.name, type, key, tags, payload: nullPayload, removed: true });
      const request = { fields, publishedAtMs, timestampMs, acceptedAtMs };
      const { epoch, position } = topic;
      if (i >= unknown.length) return { ...request, ifNewest: { epoch, offset } };
      const before = ahead.get(topic) ?? 0;
      ahead.set(topic, before + 1);
      return { ...request, expected: { epoch, offset: position.offset + before } };
    });
    const outcomes = await appendRetry.once(requests);
    for (const [i, { topic, publication }] of expired.entries()) {
      const outcome = outcomes[i];
      if (outcome?.ok === true) metrics.ringEvictionsTotal.inc({ reason: 'ttl' });
      else {
        if (outcome?.error.code === 'not_found') this.#unknown.add(publication);
        topic.state?.expireAgain(publication);
      }
    }
  }
}
