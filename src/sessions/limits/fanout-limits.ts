import { SluiceError } from '../../errors.ts';
import type { PublishFields } from '../../protocol/frames.ts';
import type { Payer } from '../../topics/payer.ts';
import type { Topic } from '../../topics/topic.ts';
import { type Arrival, TokenBuckets } from './token-bucket.ts';

/** The time per second in which the publications of one payer may be sent to subscribers, and its burst. */
const sendMsPerSecond = 250;
const sendBurstMs = 50;
const tooLong = 'what this client has published takes too long to send';

/**
 * Limits the time that it takes to send a payer's publications to their subscribers. They are sent after the publish,
 * together with those of others, so the time is an estimate. API keys are the operator's own and have no such limit.
 */
export class FanoutLimits {
  readonly #buckets: TokenBuckets;
  readonly #sendMs: (name: string, topic: Topic | undefined, bytes: number) => number;

  /** `sendMs`: see `Fanout.takeSendMs`. */
  constructor(arrival: Arrival, sendMs: (name: string, topic: Topic | undefined, bytes: number) => number) {
    this.#buckets = new TokenBuckets(sendMsPerSecond, sendBurstMs, arrival);
    this.#sendMs = sendMs;
  }

  /** Charges a publication before it is accepted. Returns why it is refused, or nothing. */
  charge(
    { topic: name, payload }: PublishFields,
    topic: Topic | undefined,
    payer: Payer | undefined,
  ): SluiceError | undefined {
    if (payer === undefined || payer.isOperator === true) return undefined;
    const { account, address = account } = payer;
    const retryAfterMs = this.#buckets.waitMs(address);
    if (retryAfterMs > 0) return new SluiceError('rate_limited', tooLong, { retryAfterMs });
    const ms = this.#sendMs(name, topic, payload.bytes.length);
    if (ms > 0) this.#buckets.spend(address, ms);
    return undefined;
  }

  sweep(): void {
    this.#buckets.sweep();
  }
}
