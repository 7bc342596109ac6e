import { userTopicOf } from '../../auth/permissions.ts';
import type { ViewOptions } from '../../fanout/view-options.ts';
import { takesPlace } from '../../fanout/view-shares.ts';
import { broadcastTopic } from '../../topics/topic-name.ts';
import type { Session } from '../session.ts';
import type { SessionView } from './session-view.ts';

/** The topics that a session joins without asking: `$all`, those of its path and token, and its user's. */
export function ownTopicsOf({ identity, peer }: Pick<Session, 'identity' | 'peer'>): ReadonlySet<string> {
  const own = new Set([broadcastTopic, ...(peer.joins ?? []), ...(identity.joins ?? [])]);
  const userTopic = identity.user === undefined ? undefined : userTopicOf(identity.user);
  if (userTopic !== undefined) own.add(userTopic);
  return own;
}

/**
 * Whether a session has `max` subscriptions beside those that are replaced. Plain ones to its own topics do not count:
 * a client that comes back asks for them by name, to continue where it was.
 */
export function isFull(
  session: Session,
  wanted: ViewOptions,
  replaced: readonly SessionView[],
  max: number,
): boolean {
  let subscriptions = -replaced.length;
  for (const { isAutomatic } of session.views.values()) if (!isAutomatic) subscriptions++;
  if (subscriptions < max) return false;
  const ownTopics = ownTopicsOf(session);
  const isOwn = (options: ViewOptions) => ownTopics.has(options.target) && !takesPlace(options);
  const counted = [...session.views.values()].filter(
    (each) => !each.isAutomatic && !replaced.includes(each) && !isOwn(each.view.options),
  );
  return counted.length >= max && !isOwn(wanted);
}
