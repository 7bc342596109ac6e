import type { Position } from '../../protocol/frames.ts';
import type { Frame } from './wire.ts';

interface Message {
  readonly offset: number;
}

/** Remembered positions that were received before their acknowledgement. */
const keptArrivals = 100;

/** Measures the time from a publish of this page until its subscription has received it. */
export class RoundTrip {
  readonly #sent = new Map<string, number>();
  readonly #arrived = new Map<string, number>();
  readonly #measured: (ms: number) => void;

  constructor(measured: (ms: number) => void) {
    this.#measured = measured;
  }

  /** A publish that was sent at `sentAtMs` is acknowledged. */
  published(topic: string, { offset }: Position, sentAtMs: number): void {
    const place = `${topic}@${offset}`;
    const arrivedAtMs = this.#arrived.get(place);
    if (arrivedAtMs === undefined) this.#sent.set(place, sentAtMs);
    else this.#measured(arrivedAtMs - sentAtMs);
  }

  received(frame: Frame, atMs: number): void {
    const messages =
      frame.type === 'batch' ? (frame['messages'] as readonly Message[] | undefined) : undefined;
    for (const { offset } of messages ?? [{ offset: Number(frame['offset']) }]) {
      const place = `${String(frame['topic'])}@${offset}`;
      const sentAtMs = this.#sent.get(place);
      if (this.#sent.delete(place)) this.#measured(atMs - (sentAtMs as number));
      else this.#arrive(place, atMs);
    }
  }

  #arrive(place: string, atMs: number): void {
    this.#arrived.set(place, atMs);
    for (const oldest of this.#arrived.keys()) {
      if (this.#arrived.size <= keptArrivals) return;
      this.#arrived.delete(oldest);
    }
  }
}
