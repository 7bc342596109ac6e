import type { Feed } from '../fanout/view.ts';
import type { StoredPublication } from '../topics/publication.ts';

/*
 * A burst may evict publications that a view has still to send. The view keeps them until then, so its members get
 * them. These functions say what that means for subscribers that are about to join the members.
 */

/**
 * A subscriber that has had everything up to this offset can be sent all the rest. A pattern's is that of the ring: its
 * subscribers are caught up with the topic, not with the members.
 */
export function reachOf({ topic, view, position }: Feed): number {
  const { reach } = topic.ring;
  return view.members > 0 && !view.isPattern ? Math.min(reach, position) : reach;
}

/**
 * Up to this offset a subscriber has had the topic that has had everything up to this commit. Undefined: it lacks
 * something that was evicted.
 */
export function hadUpto(feed: Feed, seq: number): number | undefined {
  const { ring } = feed.topic;
  if (ring.evictedSeq <= seq) return ring.offsetAtSeq(seq);
  let had: number | undefined;
  for (const publication of unsent(feed)) if (publication.seq <= seq) had = publication.offset;
  return had;
}

/** The commit of the first publication after this offset; undefined: there is none. */
export function seqAfter(feed: Feed, offset: number): number | undefined {
  const { ring } = feed.topic;
  const next = offset < ring.reach ? unsent(feed).find((each) => each.offset > offset) : undefined;
  return next?.seq ?? ring.seqAfter(offset);
}

/** What the view has not looked at yet. */
function unsent({ group, examined }: Feed): readonly StoredPublication[] {
  return group?.after(examined) ?? [];
}
