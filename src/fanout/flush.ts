import type { Metrics } from '../metrics.ts';
import { crc32 } from '../protocol/crc32.ts';
import type { BatchHeader } from '../protocol/frames.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';
import type { StoredPublication } from '../topics/publication.ts';
import { choose } from './choose.ts';
import { conflate } from './conflate.ts';
import { batchHeader, type Encoder } from './encoder.ts';
import type { Outlets } from './outlets.ts';
import type { OutFrame } from './sink.ts';
import { type Feed, type FeedGroup, formerEpoch, type View } from './view.ts';

export interface FlusherOptions {
  readonly outlets: Outlets;
  readonly encoder: Encoder;
  readonly metrics: Pick<Metrics, 'deliverySeconds' | 'batchPublications'>;
  /** Where the members of a pattern's view are, for the header of its batches. */
  readonly cursorOf: (view: View) => string;
}

/** Publications that go out in one frame; with a session that gets a frame of its own, in two. */
interface Run {
  /** The session that is excepted from `forOthers`. */
  readonly session: string | undefined;
  /** What it gets instead. */
  readonly forSession: StoredPublication[];
  readonly forOthers: StoredPublication[];
  bytes: number;
  /** Publications of both. */
  count: number;
  /** The newest offset of both. */
  upto: number;
}

/**
 * The lists are made with their first publication: an empty one that is pushed to gets room for 17 (`bench -- unicast
 * --allocations`).
 */
function beginRun(session: string | undefined, only: string | undefined, first: StoredPublication): Run {
  return only === undefined
    ? { session, forSession: [], forOthers: [first], bytes: 0, count: 0, upto: 0 }
    : { session, forSession: [first], forOthers: [], bytes: 0, count: 0, upto: 0 };
}

function framesOf({ session }: Run): number {
  return session === undefined ? 1 : 2;
}

/** Whether a publication of this size has to go in the next frame. */
function isFull(run: Run, bytes: number, batch: FeedGroup['batch'], { view }: Feed): boolean {
  const { publicationsPerFrame = batch.maxPublications } = view.options.codec;
  return (
    run.bytes + bytes > batch.maxBytes || run.count >= Math.min(batch.maxPublications, publicationsPerFrame)
  );
}

/** Those to send, if only the newest of each key is; see `conflate`. Undefined: all are. */
function keptOf(feed: Feed, pending: readonly StoredPublication[]): ReturnType<typeof conflate> | undefined {
  const { intervalMs, conflate: wantsConflation } = feed.view.options;
  const conflates = wantsConflation || (intervalMs > 0 && feed.topic.state !== undefined);
  return conflates ? conflate(pending, feed) : undefined;
}

/** What the members are sent of a publication, if anything. */
function chooseKept(
  feed: Feed,
  publication: StoredPublication,
  kept: ReturnType<typeof conflate> | undefined,
): StoredPublication | undefined {
  if (kept === undefined || kept.has(publication)) return choose(feed, publication, feed.held);
  // A member that joined meanwhile may have it from its snapshot.
  if (publication.removed !== true && feed.view.matches(publication)) feed.held?.add(publication.key ?? '');
  return undefined;
}

/** Publications that were chosen and not sent are chosen again in the next turn, and must look the same then. */
function holdRemoved({ held }: Feed, { forOthers, forSession }: Run): void {
  if (held === undefined) return;
  for (const { removed, key } of [...forOthers, ...forSession]) if (removed === true) held.add(key ?? '');
}

const nothing: Run = { session: undefined, forSession: [], forOthers: [], bytes: 0, count: 0, upto: 0 };

/** A view whose coverage has said nothing for this long says so with an empty batch. */
export const silentCoverageMs = 10_000;

/**
 * Text frames have a cursor no more often: it is a good part of a small frame, and a client that resumes a second
 * earlier is sent little more.
 */
const textCursorMs = 1000;

/** Makes the frames of one feed and hands them to the sink. */
export class Flusher {
  readonly #outlets: Outlets;
  readonly #encoder: Encoder;
  readonly #metrics: FlusherOptions['metrics'];
  readonly #cursorOf: (view: View) => string;
  /** When the publications of this turn's frames were accepted. */
  #acceptedAtMs: number[] = [];

  constructor({ outlets, encoder, metrics, cursorOf }: FlusherOptions) {
    this.#outlets = outlets;
    this.#encoder = encoder;
    this.#metrics = metrics;
    this.#cursorOf = cursorOf;
  }

  /** What was flushed before has drained now. */
  drained(nowMs: number): void {
    if (this.#acceptedAtMs.length === 0) return;
    for (const acceptedAtMs of this.#acceptedAtMs)
      this.#metrics.deliverySeconds.observe((nowMs - acceptedAtMs) / 1000);
    this.#acceptedAtMs = [];
  }

  /** Sends a frame that covers nothing. Returns its bytes. */
  announce(view: View, frame: ServerFrame): Uint8Array {
    const bytes = view.options.codec.encodeServerFrame(frame);
    this.#outlets.publish({ view, bytes, feed: undefined, epoch: '', after: 0, upto: 0, publications: 0 });
    return bytes;
  }

  /** Sends what is new since the feed's position, in at most `budget` frames. False: that was not all. */
  flush(feed: Feed, group: FeedGroup, budget: number, nowMs: number): boolean {
    if (feed.view.members === 0) {
      feed.skipToNewest();
      return true;
    }
    const pending = group.after(feed.examined);
    let frames = this.#announceEpoch(feed, pending.length > 0);
    if (frames < budget && pending.length > 0) frames += this.#announceDictionary(feed.view);
    if (frames >= budget) return false;
    const kept = keptOf(feed, pending);
    let run: Run | undefined;
    for (const publication of pending) {
      const chosen = chooseKept(feed, publication, kept);
      if (chosen === undefined) {
        if (run === undefined) feed.examine(publication.offset);
        continue;
      }
      const only = kept?.get(publication);
      const session = only ?? feed.exceptOf(chosen);
      const bytes = chosen.encoded(feed.view.options.codec).length;
      if (run !== undefined && (run.session !== session || isFull(run, bytes, group.batch, feed))) {
        frames += framesOf(run);
        if (frames <= budget) this.#send(feed, run, run.upto, nowMs);
        if (frames >= budget) {
          if (frames > budget) holdRemoved(feed, run);
          holdRemoved(feed, beginRun(session, only, chosen));
          return false;
        }
        run = undefined;
      }
      if (run === undefined) run = beginRun(session, only, chosen);
      else (only === undefined ? run.forOthers : run.forSession).push(chosen);
      run.bytes += bytes;
      run.count++;
      run.upto = chosen.offset;
    }
    return this.#finish(feed, run, budget - frames, nowMs);
  }

  /** Sends the last run, or the coverage that was silent for too long. False: that takes more than `left` frames. */
  #finish(feed: Feed, run: Run | undefined, left: number, nowMs: number): boolean {
    const { newest } = feed.topic.ring;
    if (run !== undefined || this.#silentTooLong(feed, newest, nowMs)) {
      const last = run ?? nothing;
      if (framesOf(last) > left) {
        holdRemoved(feed, last);
        return false;
      }
      this.#send(feed, last, newest, nowMs);
    }
    feed.finished();
    return true;
  }

  /** Tells the members that the numbering is a new one, and which mode the topic has. */
  #announceEpoch(feed: Feed, isNews: boolean): number {
    const { view, topic } = feed;
    if (feed.epoch === topic.epoch) return 0;
    const { epoch, position: offset } = feed;
    // Of a stream that is new to a pattern the first batch says all that its members need to know.
    const { skippedEpoch } = feed;
    if (view.isPattern && epoch === '' && isNews && topic.state === undefined && !skippedEpoch) return 0;
    feed.announcedEpoch();
    const frame = {
      kind: 'reset',
      id: 0,
      view: view.id,
      topic: topic.name,
      mode: topic.options.mode,
    } as const;
    if (skippedEpoch) this.announce(view, { ...frame, epoch: formerEpoch, offset: 0 });
    const bytes = view.options.codec.encodeServerFrame({ ...frame, epoch: topic.epoch, offset });
    this.#outlets.publish({ view, bytes, feed, epoch, after: offset, upto: offset, publications: 0 });
    return skippedEpoch ? 2 : 1;
  }

  /** A fresh dictionary goes to all members before the batches that make use of it. */
  #announceDictionary(view: View): number {
    const fresh = this.#encoder.freshDictionary(view);
    if (fresh === undefined) return 0;
    const { dictionary, data } = fresh;
    const announcement = this.announce(view, {
      kind: 'dictionary',
      id: 0,
      dictionary,
      view: view.id,
      data,
      crc32: crc32(data),
    });
    view.announced({ dictionary, data, announcement });
    return 1;
  }

  #silentTooLong(feed: Feed, newest: number, nowMs: number): boolean {
    if (newest === feed.position) return false;
    return (
      newest - feed.position > feed.topic.options.maxPublications / 2 ||
      nowMs - feed.flushedAtMs >= silentCoverageMs
    );
  }

  #send(feed: Feed, { session, forSession, forOthers }: Run, upto: number, nowMs: number): void {
    const { view } = feed;
    const after = feed.position;
    const publications = forOthers;
    if (upto === feed.topic.ring.newest) view.unsent?.delete(feed);
    const header = batchHeader(feed, after, upto, this.#cursorFor(view, nowMs));
    const bytes = this.#encoder.batch(feed, header, publications, view.members);
    const frame = { view, bytes, feed, epoch: feed.epoch, after, upto, publications: publications.length };
    if (session === undefined) this.#outlets.publish(frame);
    else this.#publishExcept(frame, session, feed, header, forSession);
    feed.sent(upto, nowMs);
    if (publications.length > 0) this.#metrics.batchPublications.observe(publications.length);
    for (const { acceptedAtMs } of publications) if (acceptedAtMs > 0) this.#acceptedAtMs.push(acceptedAtMs);
  }

  #cursorFor(view: View, nowMs: number): string | undefined {
    return view.isPattern && view.takesCursor(nowMs, textCursorMs) ? this.#cursorOf(view) : undefined;
  }

  /** A method of its own, so that frames for all members make no closure (`bench -- unicast --allocations`). */
  #publishExcept(
    frame: OutFrame,
    session: string,
    feed: Feed,
    header: BatchHeader,
    forSession: readonly StoredPublication[],
  ): void {
    this.#outlets.publishExcept(frame, session, () => ({
      ...frame,
      bytes: this.#encoder.batch(feed, header, forSession, 1),
      publications: forSession.length,
    }));
  }
}
