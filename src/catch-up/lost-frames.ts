import type { Feed, View } from '../fanout/view.ts';
import type { Position } from '../protocol/frames.ts';
import type { Broker } from '../topics/broker.ts';
import type { Backlog } from './catch-up.ts';
import { PatternBacklog } from './pattern-backlog.ts';
import { TopicBacklog } from './topic-backlog.ts';

/**
 * What a live subscriber lacks after frames to it were lost: of the feeds in `lost` everything after these positions,
 * of all others what the view has not sent yet. Call it before the subscriber leaves the view: the feeds of a view
 * without members skip what they have not sent.
 */
export function backlogOfLost(view: View, lost: ReadonlyMap<Feed, Position>, broker: Broker): Backlog {
  if (view.unsent === undefined) {
    const { feed } = view;
    const { epoch, offset } = lost.get(feed) ?? sentPosition(feed);
    return new TopicBacklog(feed, epoch, offset);
  }
  const unsent = new Set(view.unsent.feeds);
  for (const feed of lost.keys()) if (feed.view === view) unsent.add(feed);
  const items = [...unsent].map((feed) => ofPattern(feed, lost.get(feed) ?? sentPosition(feed)));
  return new PatternBacklog(broker, view, items);
}

function ofPattern(feed: Feed, { epoch, offset }: Position): TopicBacklog {
  const { topic } = feed;
  if (epoch !== '') return new TopicBacklog(feed, epoch, offset);
  // The topic's first batch would have introduced it to the members.
  return topic.state === undefined
    ? new TopicBacklog(feed, topic.epoch, offset)
    : TopicBacklog.ofAllValues(feed);
}

function sentPosition({ epoch, position }: Feed): Position {
  return { epoch, offset: position };
}
