import type { Position } from '../../protocol/frames.ts';
import type { Frame } from './wire.ts';

/** What a frame covers of one topic: all offsets in (after, upto]. */
export interface FrameCoverage {
  readonly topic: string;
  readonly after: number;
  readonly upto: number;
  /** The number of its publications. */
  readonly count: number;
  /** All of it was received before. */
  readonly isRepeat: boolean;
  /** How many offsets between the topic's last frame and this one no frame has covered. */
  readonly missing: number;
}

/** Computes by topic, from frames alone as any client could, up to where everything was received. */
export class Coverage {
  readonly #positions = new Map<string, Position>();

  positionOf(topic: string): Position | undefined {
    return this.#positions.get(topic);
  }

  /** Undefined: the frame covers nothing. */
  take(frame: Frame): FrameCoverage | undefined {
    if (frame.type === 'subscribed') this.#begin(frame['results'] as readonly Frame[]);
    if (frame.type === 'reset') this.#set(String(frame['topic']), frame['epoch'], Number(frame['offset']));
    const range = rangeOf(frame);
    if (range === undefined) return undefined;
    const { topic, after, upto } = range;
    const position = this.#positions.get(topic);
    const epoch = frame['epoch'] ?? position?.epoch ?? '';
    const isRepeat = position !== undefined && position.offset >= upto && upto > after;
    const missing = position === undefined || range.isWhole ? 0 : Math.max(0, after - position.offset);
    if (!isRepeat) this.#set(topic, epoch, upto);
    return { topic, after, upto, count: range.count, isRepeat, missing };
  }

  /** A resumed subscription tells its start, and a gap what is missing. */
  #begin(results: readonly Frame[]): void {
    for (const { topic, epoch, offset, error } of results) {
      if (error === undefined && offset !== undefined) this.#set(String(topic), epoch, Number(offset));
    }
  }

  #set(topic: string, epoch: unknown, offset: number): void {
    this.#positions.set(topic, { epoch: String(epoch), offset });
  }
}

interface Range {
  readonly topic: string;
  readonly after: number;
  readonly upto: number;
  readonly count: number;
  /** A snapshot: it covers all offsets up to `upto`. */
  readonly isWhole: boolean;
}

function rangeOf(frame: Frame): Range | undefined {
  const topic = String(frame['topic']);
  const messages = frame['messages'] as readonly unknown[] | undefined;
  if (frame.type === 'snapshot') {
    const upto = Number(frame['offset']);
    return { topic, after: 0, upto, count: messages?.length ?? 0, isWhole: true };
  }
  if (frame.type === 'batch') {
    const [after, upto] = [Number(frame['after'] ?? 0), Number(frame['upto'])];
    return { topic, after, upto, count: messages?.length ?? 0, isWhole: false };
  }
  // A single publication is a frame of its own.
  if (frame['timestamp'] === undefined || frame['offset'] === undefined) return undefined;
  const upto = Number(frame['offset']);
  return { topic, after: upto - 1, upto, count: 1, isWhole: false };
}
