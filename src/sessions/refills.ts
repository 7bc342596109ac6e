import type { View } from '../fanout/view.ts';
import type { Topic } from '../topics/topic.ts';
import { patternMatches } from '../topics/topic-name.ts';
import type { Session } from './session.ts';

/**
 * A topic is about to hold something else without news of it (`TopicListener.refilling`). Sessions that are live in its
 * views leave them with what they have been sent; the result makes them catch up with what there is then.
 */
export function leaveRefilled(sessions: Iterable<Session>, topic: Topic): () => void {
  const left: Session[] = [];
  for (const session of sessions) {
    // One whose client is away catches up when that comes back.
    if (session.isParked || !session.liveViews.some((view) => hears(view, topic))) continue;
    session.park();
    left.push(session);
  }
  return () => {
    for (const session of left) session.unpark();
  };
}

function hears({ isPattern, options: { target } }: View, { name }: Topic): boolean {
  return isPattern ? patternMatches(target, name) : target === name;
}
