import type { Metrics } from '../metrics.ts';
import { nullPayload } from '../protocol/payload.ts';
import { publishOf } from '../protocol/publication.ts';
import type { AppendRetry } from './append-retry.ts';
import type { AppendRequest } from './engine.ts';
import type { StoredPublication } from './publication.ts';
import type { Topic } from './topic.ts';

/** A value of a state topic that has outlived its TTL. */
export interface Expired {
  readonly topic: Topic;
  readonly publication: StoredPublication;
}

export interface KeyExpiryOptions {
  readonly appendRetry: AppendRetry;
  readonly metrics: Pick<Metrics, 'ringEvictionsTotal'>;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs: () => number;
  /** Milliseconds since 1970 by the wall clock. */
  readonly wallMs: () => number;
}

/** Removes values of state topics that have outlived their TTL, by appending their removal. */
export class KeyExpiry {
  readonly #options: KeyExpiryOptions;

  constructor(options: KeyExpiryOptions) {
    this.#options = options;
  }

  /** Asks the engine once for each; what it could not do comes up again at a later sweep. */
  async remove(expired: readonly Expired[], nowMs: number): Promise<void> {
    const { appendRetry, metrics, monotonicMs, wallMs } = this.#options;
    const acceptedAtMs = monotonicMs();
    const timestampMs = wallMs();
    const requests = expired.map(({ topic: { epoch }, publication }): AppendRequest => {
      const { topic, type, key, tags, offset } = publication;
      const fields = publishOf({ topic, type, key, tags, payload: nullPayload, removed: true });
      return { fields, publishedAtMs: nowMs, timestampMs, acceptedAtMs, ifNewest: { epoch, offset } };
    });
    const outcomes = await appendRetry.once(requests);
    for (const [i, { topic, publication }] of expired.entries()) {
      if (outcomes[i]?.ok === true) metrics.ringEvictionsTotal.inc({ reason: 'ttl' });
      else topic.state?.expireAgain(publication);
    }
  }
}
