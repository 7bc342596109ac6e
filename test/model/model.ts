import type { Filter, Position, Publication, Tags } from '../../src/protocol/frames.ts';
import type { StoredPublication } from '../../src/topics/publication.ts';

/** One numbering of one topic: everything that was committed, ever. */
export interface Numbering {
  readonly epoch: string;
  /** Which engine numbered it, the first being 1. */
  readonly engine: number;
  /** The first publication's offset is `start` + 1. */
  readonly start: number;
  readonly publications: StoredPublication[];
}

/** Those of a numbering that were heard of: others were gone before any node could hear of them. */
export function heardOf({ publications }: Numbering): readonly StoredPublication[] {
  return publications.filter(() => true);
}

/** What a client asks of a topic. */
export interface Wish {
  /** An index into `filters`. */
  readonly filter: number | undefined;
  readonly conflate: boolean;
  /** Of a state topic only these. */
  readonly keys?: readonly string[] | undefined;
}

/** The gateway's filters, said in another way. */
export const filters: readonly { readonly filter: Filter; readonly matches: (tags: Tags) => boolean }[] = [
  { filter: { op: 'eq', tag: 'level', value: 'high' }, matches: ({ level }) => level === 'high' },
  {
    filter: { op: 'not', filters: [{ op: 'in', tag: 'level', values: ['low', 'high'] }] },
    matches: ({ level }) => level !== 'low' && level !== 'high',
  },
  {
    filter: {
      op: 'or',
      filters: [
        { op: 'gte', tag: 'load', number: 5 },
        { op: 'exists', tag: 'alarm' },
      ],
    },
    matches: ({ load, alarm }) => (load !== undefined && Number(load) >= 5) || alarm !== undefined,
  },
];

export const isState = (topic: string): boolean => topic.startsWith('m') || topic.startsWith('q');

export function matches({ filter, keys }: Wish, { tags = {}, key = '' }: Publication): boolean {
  if (keys?.includes(key) === false) return false;
  return filter === undefined || (filters[filter] as (typeof filters)[number]).matches(tags);
}

/** Who a subscription belongs to. */
interface Reader {
  readonly session: string | undefined;
}

/** All that was ever committed, and what subscribers must see of it. Knows nothing of rings, views and sockets. */
export class Model {
  readonly #topics = new Map<string, Map<string, Numbering>>();

  /** How many engines there were. */
  engines = 0;
  /** A node of several that has lost its connection shows the values that it has, which may be old. */
  showsOldValues = false;

  committed(topic: string, epoch: string, publications: readonly StoredPublication[]): void {
    const first = publications[0] as StoredPublication;
    const epochs = this.#topics.get(topic) ?? new Map<string, Numbering>();
    this.#topics.set(topic, epochs);
    const numbering = epochs.get(epoch) ?? {
      epoch,
      engine: this.engines,
      start: first.offset - 1,
      publications: [],
    };
    epochs.set(epoch, numbering);
    numbering.publications.push(...publications);
  }

  /** Of a numbering that begins with offset 1. They may come in any order, and several times. */
  heard(topic: string, epoch: string, publications: readonly StoredPublication[]): void {
    const epochs = this.#topics.get(topic) ?? new Map<string, Numbering>();
    this.#topics.set(topic, epochs);
    const numbering = epochs.get(epoch) ?? { epoch, engine: this.engines, start: 0, publications: [] };
    epochs.set(epoch, numbering);
    for (const each of publications) numbering.publications[each.offset - 1] ??= each;
  }

  numbering(topic: string, epoch: string): Numbering | undefined {
    return this.#topics.get(topic)?.get(epoch);
  }

  numberings(topic: string): Iterable<Numbering> {
    return this.#topics.get(topic)?.values() ?? [];
  }

  *topics(): Iterable<string> {
    yield* this.#topics.keys();
  }

  newest(topic: string, epoch: string): number {
    const numbering = this.numbering(topic, epoch);
    return numbering === undefined ? 0 : numbering.start + numbering.publications.length;
  }

  /** Committed in (after, upto]. */
  range(topic: string, epoch: string, after: number, upto: number): readonly StoredPublication[] {
    const numbering = this.numbering(topic, epoch);
    if (numbering === undefined) return [];
    const { publications, start } = numbering;
    // Without holes, where not all were heard yet.
    return publications.slice(Math.max(0, after - start), upto - start).filter(() => true);
  }

  get(topic: string, epoch: string, offset: number): StoredPublication | undefined {
    return this.range(topic, epoch, offset - 1, offset)[0];
  }

  /** One of a numbering that an engine has begun for what it had: where it was, and is, in another numbering. */
  inOther(topic: string, epoch: string, { offset, seq }: StoredPublication): StoredPublication | undefined {
    const other = this.get(topic, epoch, offset);
    return other?.seq === seq ? other : undefined;
  }

  /** Whether one at this position needn't see this publication, as a later one of its key replaces it. */
  isSuperseded(
    { topic, epoch, wish, reader }: { topic: string; epoch: string; wish: Wish; reader: Reader },
    { key, offset, expiresAtMs }: StoredPublication,
  ): boolean {
    const later = this.range(topic, epoch, offset, Number.POSITIVE_INFINITY).filter(
      (each) => (each.key ?? '') === (key ?? ''),
    );
    // With a filter, every subscriber is told of a removal.
    const isForAll = ({ removed }: StoredPublication) =>
      isState(topic) && wish.filter !== undefined && removed === true;
    const isFor = (each: StoredPublication) =>
      matches(wish, each) && (isForAll(each) || each.except !== reader.session);
    if (isState(topic)) return later.some((each) => !matches(wish, each) || isFor(each));
    // One that expires earlier may never come.
    return (
      wish.conflate &&
      key !== undefined &&
      later.some((each) => each.expiresAtMs >= expiresAtMs && isFor(each))
    );
  }

  /** The newest publication per key as of an offset, whatever its filter, removals too. */
  newestByKey(topic: string, { epoch, offset }: Position): Map<string, StoredPublication> {
    const byKey = new Map<string, StoredPublication>();
    for (const each of this.range(topic, epoch, 0, offset)) byKey.set(each.key ?? '', each);
    return byKey;
  }
}

/** The same bytes, the same words. */
export function isSame(publication: Publication, original: Publication): boolean {
  return (
    publication.offset === original.offset &&
    publication.type === original.type &&
    publication.key === original.key &&
    (publication.removed ?? false) === (original.removed ?? false) &&
    JSON.stringify(Object.entries(publication.tags ?? {}).sort()) ===
      JSON.stringify(Object.entries(original.tags ?? {}).sort()) &&
    Buffer.compare(publication.payload.bytes, original.payload.bytes) === 0
  );
}
