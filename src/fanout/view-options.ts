import type { GatewayCodec } from '../protocol/codec.ts';
import { canonicalKey, keysText } from '../protocol/selection-key.ts';
import type { CompiledFilter } from '../topics/filter.ts';

/** The keys of a state topic that a view is of. */
export interface ViewKeys {
  readonly set: ReadonlySet<string>;
  /** Equal for equal sets. */
  readonly canonical: string;
}

export function viewKeys(keys: readonly string[]): ViewKeys {
  const set = new Set(keys);
  return { set, canonical: keysText(set) };
}

/** What makes two subscribers get the same bytes. */
export interface ViewOptions {
  /** A topic or a pattern. */
  readonly target: string;
  readonly codec: GatewayCodec;
  readonly filter: CompiledFilter | undefined;
  /** On the ladder; 0: as publications come. */
  readonly intervalMs: number;
  /** Only the newest publication per key of each batch, also in a stream topic. */
  readonly conflate: boolean;
  /** Only these keys of a state topic; undefined: all. */
  readonly keys?: ViewKeys | undefined;
  /** The subscribers can inflate with a shared dictionary. */
  readonly dictionaries: boolean;
}

/** What a subscriber asked for, however its bytes are compressed. */
export function deliveryKey({ target, codec, filter, intervalMs, conflate, keys }: ViewOptions): string {
  return `${codec.name} ${canonicalKey(target, filter?.canonical, intervalMs, conflate, keys?.canonical)}`;
}

/** Whether subscribers with these options get the same publications, however their bytes are compressed. */
export function isSameDelivery(a: ViewOptions, b: ViewOptions): boolean {
  return (
    a.target === b.target &&
    a.codec.name === b.codec.name &&
    a.filter?.canonical === b.filter?.canonical &&
    a.intervalMs === b.intervalMs &&
    a.conflate === b.conflate &&
    a.keys?.canonical === b.keys?.canonical
  );
}

export function viewKey(options: ViewOptions): string {
  return options.dictionaries ? `dictionaries ${deliveryKey(options)}` : deliveryKey(options);
}
