import type { ServerFrame } from '../protocol/frames.ts';
import type { Broker } from '../topics/broker.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import type { Turns } from './schedule.ts';
import type { View } from './view.ts';

export interface RefreshOptions {
  /** 0: never. */
  readonly everyMs: number;
  /** Only where something was published since the last time. */
  readonly onlyChanged: boolean;
}

export interface RefreshPort {
  readonly broker: Broker;
  readonly turns: Turns;
  readonly refresh: (topic: Topic) => RefreshOptions;
  /** The views with members that get what this topic publishes. */
  readonly viewsOf: (topic: Topic) => Iterable<View>;
  /** Sends a frame to the members of a view, in order with its batches. */
  readonly announce: (view: View, frame: ServerFrame) => void;
  /** Frames that were announced and have not gone out. */
  readonly waiting: () => number;
}

interface Refreshed {
  readonly atMs: number;
  readonly epoch: string;
  readonly offset: number;
}

/** Snapshots are made no faster than they go out. */
const waitingMax = 64;
const retryMs = 5;
/** Of the payloads of one page: a page goes out whole, and is shared by all members of a view. */
const pageBytes = 64 * 1024;

/**
 * Sends state topics again, as whole snapshots, in the interval of their namespace. A snapshot is made once per view.
 * Topics that are due at the same time follow one another, as fast as the frames go out.
 */
export class Refresh {
  readonly #port: RefreshPort;
  readonly #refreshed = new WeakMap<Topic, Refreshed>();
  #due: Iterator<() => void> | undefined;

  constructor(port: RefreshPort) {
    this.#port = port;
  }

  /** Begins with the topics that are due, unless those of the last time are not done yet. */
  sweep(): void {
    if (this.#due !== undefined) return;
    const due = [...this.#port.broker.topics()].filter((topic) => this.#isDue(topic));
    if (due.length === 0) return;
    this.#due = this.#work(due);
    this.#continue();
  }

  #isDue(topic: Topic): boolean {
    if (topic.state === undefined) return false;
    const { everyMs, onlyChanged } = this.#port.refresh(topic);
    if (everyMs === 0) return false;
    const last = this.#refreshed.get(topic);
    if (last === undefined) {
      // Its first subscribers have just had a snapshot, or will have.
      this.#note(topic);
      return false;
    }
    if (this.#port.turns.nowMs() - last.atMs < everyMs) return false;
    return !onlyChanged || last.epoch !== topic.epoch || last.offset !== topic.ring.newest;
  }

  #note(topic: Topic): void {
    const { epoch, ring } = topic;
    this.#refreshed.set(topic, { atMs: this.#port.turns.nowMs(), epoch, offset: ring.newest });
  }

  #continue(): void {
    const { turns, waiting } = this.#port;
    while (waiting() < waitingMax) {
      const next = this.#due?.next();
      if (next === undefined || next.done === true) {
        this.#due = undefined;
        return;
      }
      next.value();
    }
    turns.after(retryMs, () => this.#continue());
  }

  /**
   * What is to be done for these topics, view by view. All pages of a view are announced at once, so that no change
   * comes between them.
   */
  *#work(topics: readonly Topic[]): Iterator<() => void> {
    for (const topic of topics) {
      this.#note(topic);
      for (const view of this.#port.viewsOf(topic)) {
        yield () => {
          for (const page of pagesOf(topic, view, this.#port.broker.nowMs())) this.#port.announce(view, page);
        };
      }
    }
  }
}

/** The whole state of the topic, as the members of this view get it. */
function pagesOf(topic: Topic, view: View, nowMs: number): ServerFrame[] {
  const { filter } = view.options;
  const values = [...topic.snapshot(nowMs)].filter(({ tags }) => filter?.matches(tags) ?? true);
  const pages = pageUp(values);
  const { name, epoch, ring } = topic;
  return pages.map((publications, index) => ({
    kind: 'snapshot',
    id: 0,
    view: view.id,
    topic: name,
    epoch,
    offset: ring.newest,
    publications,
    first: index === 0,
    last: index === pages.length - 1,
  }));
}

/** At least one page: an empty one says that there is nothing. */
function pageUp(values: readonly StoredPublication[]): readonly (readonly StoredPublication[])[] {
  const pages: StoredPublication[][] = [[]];
  let bytes = 0;
  for (const value of values) {
    if (bytes > 0 && bytes + value.bytes > pageBytes) {
      pages.push([]);
      bytes = 0;
    }
    pages.at(-1)?.push(value);
    bytes += value.bytes;
  }
  return pages;
}
