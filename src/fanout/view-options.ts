import { sha256Text } from '../digest.ts';
import type { GatewayCodec } from '../protocol/codec.ts';
import { canonicalKey, keysText } from '../protocol/selection-key.ts';
import type { CompiledFilter } from '../topics/filter.ts';

/** The keys of a state topic that a view is of. */
export interface ViewKeys {
  readonly set: ReadonlySet<string>;
  /** Equal for equal sets. Their text, of up to half a MiB, is not kept beside them. */
  readonly digest: string;
  /** The length of that text. */
  readonly characters: number;
}

export function viewKeys(keys: readonly string[]): ViewKeys {
  const set = new Set(keys);
  const text = keysText(set);
  return { set, digest: sha256Text(text), characters: text.length };
}

/** What the subscribers of a view have in common. */
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
  const keysOf = keys && keysText(keys.set);
  return `${codec.name} ${canonicalKey(target, filter?.canonical, intervalMs, conflate, keysOf)}`;
}

/** Whether subscribers with these options get the same publications, however their bytes are compressed. */
export function isSameDelivery(a: ViewOptions, b: ViewOptions): boolean {
  return (
    a.target === b.target &&
    a.codec.name === b.codec.name &&
    a.filter?.canonical === b.filter?.canonical &&
    a.intervalMs === b.intervalMs &&
    a.conflate === b.conflate &&
    a.keys?.digest === b.keys?.digest
  );
}

/** What makes two subscribers get the same bytes. Each view keeps it: a digest where filter or keys are long. */
export function viewKey({
  dictionaries,
  codec,
  target,
  filter,
  intervalMs,
  conflate,
  keys,
}: ViewOptions): string {
  const isPlain = filter === undefined && intervalMs === 0 && !conflate && keys === undefined;
  // Most are plain, and each subscription asks for one (`bench -- storm`).
  const selection = isPlain
    ? target
    : canonicalKey(target, filter?.canonical, intervalMs, conflate, keys?.digest);
  const key = `${codec.name}${dictionaries ? ' dictionaries' : ''} ${selection}`;
  return key.length > shortKeyLength ? sha256Text(key) : key;
}

const shortKeyLength = 300;
