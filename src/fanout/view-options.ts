import type { Codec } from '../protocol/codec.ts';
import type { CompiledFilter } from '../topics/filter.ts';

/** What makes two subscribers get the same bytes. */
export interface ViewOptions {
  /** A topic or a pattern. */
  readonly target: string;
  readonly codec: Codec;
  readonly filter: CompiledFilter | undefined;
  /** On the ladder; 0: as publications come. */
  readonly intervalMs: number;
  /** Only the newest publication per key of each batch, also in a stream topic. */
  readonly conflate: boolean;
  /** The subscribers can inflate with a shared dictionary. */
  readonly dictionaries: boolean;
}

/** The steps that a wished interval is rounded up to, so that equals share a view. Milliseconds. */
export const intervalLadderMs = [50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000] as const;

export function snapInterval(intervalMs: number): number {
  if (intervalMs <= 0) return 0;
  return intervalLadderMs.find((step) => step >= intervalMs) ?? (intervalLadderMs.at(-1) as number);
}

/** What a subscriber asked for, however its bytes are compressed. */
export function wishKey({ target, codec, filter, intervalMs, conflate }: ViewOptions): string {
  // No topic or pattern has a blank in it.
  return `${target} ${codec.name} ${intervalMs} ${conflate} ${filter?.canonical ?? ''}`;
}

export function viewKey(options: ViewOptions): string {
  return options.dictionaries ? `dictionaries ${wishKey(options)}` : wishKey(options);
}
