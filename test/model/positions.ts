import type { OffsetRange, Position, TopicPosition } from '../../src/protocol/frames.ts';

/** What a batch covers: offsets (after, upto]. `epoch` only in views of a pattern. */
export interface Coverage {
  readonly epoch?: string;
  readonly after: number;
  readonly upto: number;
}

/**
 * What to do with a batch.
 * accept: deliver the publications with offsets greater than `from`; then the position is `position`.
 * skip: nothing in it is new.
 * gap: `missing` never came; nothing of the batch may be delivered before it was recovered.
 * epoch: the batch counts in another numbering than the position.
 */
export type Verdict =
  | { readonly kind: 'accept'; readonly from: number; readonly position: Position }
  | { readonly kind: 'skip' }
  | { readonly kind: 'gap'; readonly missing: OffsetRange }
  | { readonly kind: 'epoch'; readonly epoch: string };

/** The client's delivery rule. Pure. */
export function judge(position: Position, batch: Coverage): Verdict {
  if (batch.epoch !== undefined && batch.epoch !== position.epoch)
    return { kind: 'epoch', epoch: batch.epoch };
  if (batch.after > position.offset) {
    return { kind: 'gap', missing: { after: position.offset, upto: batch.after } };
  }
  if (batch.upto <= position.offset) return { kind: 'skip' };
  return {
    kind: 'accept',
    from: position.offset,
    position: { epoch: position.epoch, offset: batch.upto },
  };
}

/** The positions of one view, by topic: one for an exact topic, any number for a pattern. */
export class Positions {
  readonly #byTopic = new Map<string, Position>();

  get(topic: string): Position | undefined {
    return this.#byTopic.get(topic);
  }

  set(topic: string, position: Position): void {
    this.#byTopic.set(topic, position);
  }

  delete(topic: string): void {
    this.#byTopic.delete(topic);
  }

  clear(): void {
    this.#byTopic.clear();
  }

  list(): TopicPosition[] {
    return [...this.#byTopic].map(([topic, { epoch, offset }]) => ({ topic, epoch, offset }));
  }
}
