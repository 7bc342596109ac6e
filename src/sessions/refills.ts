import type { View } from '../fanout/view.ts';
import type { Topic } from '../topics/topic.ts';
import { patternMatches } from '../topics/topic-name.ts';
import type { Session } from './session.ts';

/**
 * The content of a topic is about to be replaced (`TopicListener.refilling`). Sessions that are live in its views leave
 * them; the returned function makes them catch up with the new content.
 */
export function leaveRefilled(sessions: Iterable<Session>, topic: Topic): () => void {
  const left: Session[] = [];
  for (const session of sessions) {
    // A parked session catches up when its client comes back.
    if (session.views.isParked || !session.views.liveViews.some((view) => hears(view, topic))) continue;
    session.views.park();
    left.push(session);
  }
  return () => {
    for (const session of left) session.views.unpark();
  };
}

function hears({ isPattern, options: { target } }: View, { name }: Topic): boolean {
  return isPattern ? patternMatches(target, name) : target === name;
}
