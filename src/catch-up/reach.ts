import type { Feed } from '../fanout/view.ts';

/*
 * A burst may evict publications that a view has still to send. The view keeps them until then, so its members get
 * them. These functions say what that means for subscribers that are about to join the members.
 */

/**
 * A subscriber that has had everything up to this offset can be sent all the rest. In a pattern it is the reach of the
 * ring, because subscribers are caught up to the topic's newest, not to what the members were sent.
 */
export function reachOf({ topic, view, position }: Feed): number {
  const { reach } = topic.ring;
  return view.members > 0 && !view.isPattern ? Math.min(reach, position) : reach;
}

/**
 * The offset up to which a subscriber has had the topic if it has had everything up to this commit. Undefined: it lacks
 * something that was evicted.
 */
export function coveredUpto(feed: Feed, seq: number): number | undefined {
  const { ring } = feed.topic;
  if (ring.evictedSeq <= seq) return ring.offsetAtSeq(seq);
  // What the view has not looked at yet.
  const unsent = feed.group?.after(feed.examined) ?? [];
  let covered: number | undefined;
  for (const { seq: at, offset } of unsent) {
    if (at > seq + 1) break;
    covered = at > seq ? offset - 1 : offset;
  }
  return covered;
}
