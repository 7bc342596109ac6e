import type { Awaitable } from '../../awaitable.ts';
import type { Backlog } from '../../catch-up/catch-up.ts';
import { continuePattern } from '../../catch-up/continue-pattern.ts';
import type { StartOptions, StartResult } from '../../catch-up/start-topic.ts';
import { TopicBacklog } from '../../catch-up/topic-backlog.ts';
import type { Fanout } from '../../fanout/fanout.ts';
import type { Feed, View } from '../../fanout/view.ts';
import { isSameDelivery, type ViewOptions } from '../../fanout/view-options.ts';
import type { Subscription } from '../../protocol/frames.ts';
import { reaches } from '../../topics/topic-name.ts';
import type { Session } from '../session.ts';
import type { FormerSubscriptions } from './former-subscriptions.ts';
import type { SessionView } from './session-view.ts';

/** The subscription of the session that gets the same publications as one with these options. */
export function equalTo(session: Session, options: ViewOptions): SessionView | undefined {
  for (const existing of session.views.values())
    if (isSameDelivery(existing.view.options, options)) return existing;
  return undefined;
}

/**
 * Call it before a client subscribes again to what it is subscribed to, by the gateway or by a subscription that its
 * own replaces. Those subscriptions get no more frames, so that it is known where the new ones continue. If they are
 * not replaced they go on with the session's next `pump`.
 */
export function holdReplaced(
  session: Session,
  subscriptions: readonly Subscription[],
  fanout: Pick<Fanout, 'afterDrops'>,
): Awaitable<void> {
  if (session.views.size === 0) return;
  // Some may be in it twice.
  const replaced: SessionView[] = [];
  for (const subscription of subscriptions) {
    for (const each of session.views.values())
      if (each.isAutomatic && each.watches === undefined && each.target === subscription.topic)
        replaced.push(each);
    if (subscription.replaces === true) replaced.push(...replacedBy(session, subscription));
  }
  if (replaced.length === 0) return;
  return fanout.afterDrops(() => {
    for (const each of replaced) session.views.hold(each);
  });
}

/** What a subscriber lacks of its view, and what it is told. */
export interface StartedView {
  readonly backlog: Backlog;
  readonly result: StartResult;
  /** Of lists that the backlog keeps; absent: it keeps none. */
  readonly heldBytes?: number;
}

/**
 * A subscription that says nothing of where to start continues after those that it replaces, up to where the session
 * was sent them. Undefined: it starts as any other.
 */
export function continuedAfter(
  view: View,
  { since, last, cursor, positions }: Subscription,
  former: FormerSubscriptions,
  { broker, modeOf, metrics }: StartOptions,
  checkRoom: (bytes: number) => void,
): StartedView | undefined {
  if ((since ?? last ?? cursor ?? positions) !== undefined) return undefined;
  if (!view.isPattern) return continuedTopic(view.feed, former);
  const progress = former.progressIn(view.options.target, broker.commits.seq);
  return progress && continuePattern(view, progress, { broker, modeOf, metrics, checkRoom });
}

/** A client without offsets may have had more than the members of the view were sent. */
function continuedTopic(feed: Feed, former: FormerSubscriptions): StartedView | undefined {
  const replaced = former.positionIn(feed);
  const { options, position, startOffset } = feed.topic;
  const { mode } = options;
  const { epoch } = position;
  if (replaced === undefined || mode === 'state') return undefined;
  // If another numbering has begun since, the session lacks everything of it.
  const offset = replaced.epoch === epoch ? replaced.offset : startOffset;
  if (offset === position.offset && offset === feed.position) return undefined;
  const backlog = new TopicBacklog(feed, epoch, offset);
  return {
    backlog,
    result: { mode, epoch, offset, recovered: undefined, missing: undefined, cursor: undefined },
  };
}

/** The subscriptions by which a client that compares no offsets would get the same publications twice. */
export function replacedBy(session: Session, { topic: target }: Subscription): readonly SessionView[] {
  return [...session.views.values()].filter(
    ({ isAutomatic, watches, target: existing }) =>
      !isAutomatic && watches === undefined && (reaches(target, existing) || reaches(existing, target)),
  );
}
