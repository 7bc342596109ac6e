import { covers } from '../auth/permissions.ts';
import type { Awaitable } from '../awaitable.ts';
import type { TopicStarted } from '../catch-up/start-topic.ts';
import { TopicBacklog } from '../catch-up/topic-backlog.ts';
import type { Fanout } from '../fanout/fanout.ts';
import type { Feed, View } from '../fanout/view.ts';
import { deliveryKey, type ViewOptions } from '../fanout/view-options.ts';
import type { Position, Subscription } from '../protocol/frames.ts';
import type { Session } from './session.ts';
import type { SessionView } from './session-view.ts';

/** The subscription of the session that gets the same publications as one with these options. */
export function equalTo(session: Session, options: ViewOptions): SessionView | undefined {
  const key = deliveryKey(options);
  for (const existing of session.views.values()) if (existing.view.deliveryKey === key) return existing;
  return undefined;
}

/**
 * Before a client subscribes to topics that the gateway has subscribed it to: these subscriptions get no more frames,
 * so that it is known up to where the new ones continue. They go on with the session's next `pump` if they are not
 * replaced.
 */
export function holdOwn(
  session: Session,
  subscriptions: readonly Subscription[],
  fanout: Pick<Fanout, 'afterDrops'>,
): Awaitable<void> {
  const own = [...session.views.values()].filter(
    ({ automatic, watches, target }) =>
      automatic && watches === undefined && subscriptions.some(({ topic }) => topic === target),
  );
  if (own.length === 0) return;
  return fanout.afterDrops(() => {
    for (const each of own) session.views.hold(each);
  });
}

/**
 * A subscription to a stream that says nothing of where to start continues after the one of the gateway that it
 * replaces, up to where the session was sent that. Undefined: it starts as any other.
 */
export function continuedAfter(
  view: View,
  { since, last, cursor }: Subscription,
  replaced: Position | undefined,
): TopicStarted | undefined {
  if (replaced === undefined || since !== undefined || last !== undefined || cursor !== undefined)
    return undefined;
  const feed = feedOfTopic(view);
  const { options, position, startOffset } = feed.topic;
  const { mode } = options;
  const { epoch } = position;
  // Of a numbering that has begun since it lacks everything.
  const offset = replaced.epoch === epoch ? replaced.offset : startOffset;
  if (mode === 'state' || offset === position.offset) return undefined;
  const backlog = new TopicBacklog(feed, epoch, offset);
  return {
    backlog,
    result: { mode, epoch, offset, recovered: undefined, missing: undefined, cursor: undefined },
  };
}

/** Ends subscriptions that a client without offsets would get the same publications by. */
export function endReplaced(session: Session, target: string): void {
  for (const existing of [...session.views.values()]) {
    if (existing.automatic || existing.watches !== undefined) continue;
    if (covers(target, existing.target) || covers(existing.target, target))
      session.views.remove(existing, 'replaced');
  }
}

/** An exact view has the feed of its topic from the beginning. */
export function feedOfTopic({ feeds }: View): Feed {
  const [feed] = feeds.values() as Iterable<Feed> as [Feed];
  return feed;
}
