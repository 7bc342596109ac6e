import { groupBy } from '../group-by.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import type { Outlets } from './outlets.ts';
import type { View } from './view.ts';

/**
 * The values of a state topic for all members of one view, page by page. Each value is encoded once per codec, each
 * page framed once.
 */
export class SnapshotPages {
  readonly view: View;
  readonly topic: Topic;
  readonly #epoch: string;
  readonly #offset: number;
  readonly #values: readonly StoredPublication[];
  readonly #pageBytes: number;
  #next = 0;

  constructor(view: View, topic: Topic, nowMs: number, pageBytes: number) {
    this.view = view;
    this.topic = topic;
    this.#epoch = topic.epoch;
    this.#offset = topic.ring.newest;
    this.#values = valuesFor(view, topic, nowMs);
    this.#pageBytes = pageBytes;
    holdAll(view, topic, this.#values);
  }

  /** Some pages were sent, and some are left. */
  get hasBegun(): boolean {
    return this.#next > 0;
  }

  /** How many frames the next page takes of a sink's turn. */
  get nextFrames(): number {
    return this.#values[this.#next]?.except === undefined ? 1 : 2;
  }

  /** Publishes the next page. Returns whether it was the last. */
  publishNext(outlets: Outlets): boolean {
    const first = this.#next === 0;
    const { except } = this.#values[this.#next] ?? {};
    const pieces = this.#takePieces(except);
    const last = this.#next === this.#values.length;
    const { codec } = this.view.options;
    const header = {
      view: this.view.id,
      topic: this.topic.name,
      epoch: this.#epoch,
      offset: this.#offset,
      first,
      last,
    };
    const frameOf = (publications: readonly Uint8Array[]) => ({
      view: this.view,
      bytes: codec.frameSnapshot(header, publications),
      // It covers nothing: a member that loses it gets all coverage by the topic's batches.
      feed: undefined,
      epoch: '',
      after: 0,
      upto: 0,
      publications: publications.length,
    });
    if (except === undefined) outlets.publish(frameOf(pieces));
    else outlets.publishExcept(frameOf(pieces), except, () => frameOf([]));
    return last;
  }

  /** The encoded values of one page. All of them except the same session, or none. */
  #takePieces(except: string | undefined): Uint8Array[] {
    const { codec } = this.view.options;
    const { publicationsPerFrame: most = this.#values.length } = codec;
    const pieces: Uint8Array[] = [];
    for (let bytes = 0; bytes < this.#pageBytes && pieces.length < most; this.#next++) {
      const value = this.#values[this.#next];
      if (value === undefined || value.except !== except) break;
      const piece = value.encoded(codec);
      pieces.push(piece);
      bytes += piece.length;
    }
    return pieces;
  }
}

/** Those that match the view's filter; the ones that except a session come last, session by session. */
function valuesFor(view: View, topic: Topic, nowMs: number): readonly StoredPublication[] {
  const matching = [...topic.snapshot(nowMs)].filter((value) => view.matches(value));
  const bySession = groupBy(matching, ({ except }) => except);
  const forAll = bySession.get(undefined) ?? [];
  bySession.delete(undefined);
  return [forAll, ...bySession.values()].flat();
}

/** A value may reach the members by the snapshot before its batch: its removal is due to them. */
function holdAll(view: View, topic: Topic, values: readonly StoredPublication[]): void {
  const held = view.feedOf(topic)?.held;
  if (held !== undefined) for (const { key } of values) held.add(key ?? '');
}
