import type { Backlog } from '../../catch-up/catch-up.ts';
import { coveredUpto } from '../../catch-up/reach.ts';
import { TopicBacklog } from '../../catch-up/topic-backlog.ts';
import type { OutFrame, Overlap } from '../../fanout/sink.ts';
import type { UnsentFeeds } from '../../fanout/unsent-feeds.ts';
import type { Feed, View } from '../../fanout/view.ts';
import type { Position } from '../../protocol/frames.ts';

/** How far a session is in a view of which it has had more than the members were sent. */
export interface AheadAt {
  readonly seq: number;
  /** `Commits.changes` when it joined: it knows of no numbering that began later. */
  readonly changes: number;
}

/**
 * The live views of one session of which it has had more than their members were sent: its catch-up, here or on another
 * node, included publications that still wait for a flush. Clients of protobuf drop repeats by their offsets. This
 * class is for those of other codecs.
 */
export class AheadViews {
  readonly #views = new Map<View, AheadAt>();

  /** The session has had its backlog and is about to join the view. */
  add(view: View, backlog: Backlog | undefined, { seq: newest, changes }: AheadAt): void {
    if (view.members === 0) return;
    const seq = view.unsent ? patternSeq(view.unsent, newest) : topicSeq(view, backlog, newest);
    if (seq !== undefined) this.#views.set(view, { seq, changes });
  }

  /** Undefined: it has had no more of the view than its members. */
  get(view: View): AheadAt | undefined {
    return this.#views.get(view);
  }

  get isEmpty(): boolean {
    return this.#views.size === 0;
  }

  delete(view: View): void {
    this.#views.delete(view);
  }

  overlap({ view, feed, epoch, after, upto }: OutFrame): Overlap {
    if (this.#views.size === 0 || feed === undefined) return 'nothing';
    const seq = this.#views.get(view)?.seq;
    if (seq === undefined || !isOf(feed, epoch)) return 'nothing';
    const offset = coveredUpto(feed, seq) ?? 0;
    if (offset > after) return offset >= upto ? 'all' : 'some';
    if ((view.unsent?.sentSeq(seq) ?? seq) >= seq) this.#views.delete(view);
    return 'nothing';
  }

  /**
   * What the session lacks after frames were lost, as the position of each feed after which it lacks everything.
   * `lost`: the same as if it had had no more than the members. Of feeds that are not in `lost` it lacks what the
   * members were not sent.
   */
  lackingAfter(view: View, lost: ReadonlyMap<Feed, Position>): ReadonlyMap<Feed, Position> {
    const seq = this.#views.get(view)?.seq;
    if (seq === undefined) return lost;
    const lacking = new Map(lost);
    for (const feed of view.unsent ? [...view.unsent.feeds, ...lost.keys()] : view.feeds) {
      const { epoch, offset } = lost.get(feed) ?? { epoch: feed.epoch, offset: feed.position };
      if (feed.view !== view || !isOf(feed, epoch)) continue;
      const covered = coveredUpto(feed, seq) ?? 0;
      if (covered > offset) lacking.set(feed, { epoch: feed.topic.epoch, offset: covered });
      else lacking.set(feed, { epoch, offset });
    }
    return lacking;
  }
}

/** The epoch is the topic's own, or the one before its first publication, which has no offsets. */
function isOf({ topic }: Feed, epoch: string): boolean {
  return epoch === topic.epoch || epoch === '';
}

/** A session that goes live in a pattern has everything of all topics, also of those that are new to its members. */
function patternSeq(unsent: UnsentFeeds<Feed>, newest: number): number | undefined {
  return unsent.isEmpty ? undefined : newest;
}

function topicSeq({ feed }: View, backlog: Backlog | undefined, newest: number): number | undefined {
  if (!(backlog instanceof TopicBacklog)) return undefined;
  if (!isOf(feed, feed.epoch) || backlog.position <= feed.position) return undefined;
  const next = feed.seqAfter(backlog.position);
  return next === undefined ? newest : next - 1;
}
