import type { Fanout } from '../../fanout/fanout.ts';
import type { View } from '../../fanout/view.ts';
import type { Topic } from '../../topics/topic.ts';
import { patternMatches } from '../../topics/topic-name.ts';
import type { SessionViews } from './session-views.ts';

/** A session, as far as refills are about it. */
export interface RefillSession {
  readonly views: Pick<SessionViews, 'isParked' | 'liveViews' | 'park' | 'unpark'>;
}

/**
 * The content of a topic is about to be replaced (`TopicListener.refilling`). Sessions that are live in its views leave
 * them; the returned function makes them catch up with the new content. They do so only when the engine's feed has told
 * all of this turn: others may be replaced after this one, and a cursor of what is sent before would cover these.
 */
export function leaveRefilled(
  sessions: Iterable<RefillSession>,
  topic: Topic,
  fanout: Pick<Fanout, 'tellDrops'>,
): () => void {
  fanout.tellDrops();
  const parked: RefillSession[] = [];
  for (const session of sessions) {
    // A parked session catches up when its client comes back.
    if (session.views.isParked || !session.views.liveViews.some((view) => hears(view, topic))) continue;
    session.views.park();
    parked.push(session);
  }
  return () =>
    queueMicrotask(() => {
      for (const session of parked) session.views.unpark();
    });
}

function hears({ isPattern, options: { target } }: View, { name }: Topic): boolean {
  return isPattern ? patternMatches(target, name) : target === name;
}
