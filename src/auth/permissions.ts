import { namespaceOf } from '../protocol/namespace.ts';
import { userTopicName } from '../protocol/user-topics.ts';
import { isPattern, isReserved, prefixOf, topicProblem } from '../topics/topic-name.ts';
import type { Identity, TopicAction } from './identity.ts';

/** Access to the topics of a namespace. */
export interface NamespaceAccess {
  /** Whether the members of its topics may be listed and watched at all. */
  readonly presence: boolean;
  readonly anonymous: { readonly subscribe: boolean; readonly publish: boolean };
}

/** Every namespace with options of its own, and `default` for all others. */
export interface NamespaceAccessTable {
  readonly default: NamespaceAccess;
  readonly [name: string]: NamespaceAccess;
}

const userPrefix = 'user:';

/** The topic that is only for this user; undefined: `userProblem` says why there can't be one. */
export function userTopicOf(user: string): string | undefined {
  const topic = user === '' ? undefined : userTopicName(user);
  return topic !== undefined && topicProblem(topic) === undefined ? topic : undefined;
}

/** Why this can't be the name of a user: there has to be a topic for each. */
export function userProblem(user: string): string | undefined {
  if (user === '') return 'must not be empty';
  const topic = userTopicName(user);
  if (topic === undefined) return 'is not well-formed Unicode';
  const problem = topicProblem(topic);
  return problem === undefined ? undefined : `has no topic of its own: ${problem}`;
}

/**
 * Whether this identity may do this with this topic, or with every topic that the pattern matches. The name is
 * well-formed.
 *
 * - Names that begin with `$` are Sluice's own: no client may. The gateway itself joins sessions to `$all`.
 * - Only that user receives `user:{sub}`, whatever a token grants, so no pattern that matches topics of `user:` is
 *   granted. Publishing to it needs a permission like any other topic.
 * - What a namespace allows to anonymous clients it allows to all. A pattern that spans several namespaces needs it
 *   from each of them.
 * - Otherwise one permission must cover the topic, or all of the pattern.
 */
export function may(
  identity: Identity,
  action: TopicAction,
  topicOrPattern: string,
  namespaces: NamespaceAccessTable,
): boolean {
  if (isReserved(topicOrPattern)) return false;
  const touched = namespacesTouched(topicOrPattern, namespaces);
  if (action === 'presence' && !touched.every(({ presence }) => presence)) return false;
  if (action !== 'publish' && touchesUsers(topicOrPattern)) {
    return identity.user !== undefined && userTopicOf(identity.user) === topicOrPattern;
  }
  if (
    identity.permissions.some(
      ({ pattern, allow }) => allow.includes(action) && covers(pattern, topicOrPattern),
    )
  ) {
    return true;
  }
  // Presence always needs a permission: what a namespace allows to anonymous clients is not enough.
  return action !== 'presence' && touched.every(({ anonymous }) => anonymous[action]);
}

/** Whether this identity may do this with any topic at all; false: no topic needs to be checked. */
export function mayAnywhere(
  { permissions }: Identity,
  action: 'subscribe' | 'publish',
  namespaces: NamespaceAccessTable,
): boolean {
  return (
    permissions.some(({ allow }) => allow.includes(action)) ||
    Object.values(namespaces).some(({ anonymous }) => anonymous[action])
  );
}

/** Whether every topic that `wanted` (a topic or pattern) matches is also matched by `granted`. */
export function covers(granted: string, wanted: string): boolean {
  if (!isPattern(granted)) return granted === wanted;
  const prefix = prefixOf(granted);
  return (isPattern(wanted) ? prefixOf(wanted) : wanted).startsWith(prefix);
}

/** Whether these topics are, or may be, another user's own. */
export function isOthersTopic({ user }: Pick<Identity, 'user'>, topicOrPattern: string): boolean {
  if (!touchesUsers(topicOrPattern)) return false;
  return user === undefined || userTopicOf(user) !== topicOrPattern;
}

/** Whether it is the topic of a user, or a pattern that matches some. */
export function touchesUsers(topicOrPattern: string): boolean {
  if (!isPattern(topicOrPattern)) return topicOrPattern.startsWith(userPrefix);
  const prefix = prefixOf(topicOrPattern);
  return prefix.startsWith(userPrefix) || userPrefix.startsWith(prefix);
}

/** The options of every namespace that the topic or pattern can reach. */
function namespacesTouched(
  topicOrPattern: string,
  namespaces: NamespaceAccessTable,
): readonly NamespaceAccess[] {
  if (!isPattern(topicOrPattern) || topicOrPattern.includes(':')) {
    const name = namespaceOf(topicOrPattern);
    return [(Object.hasOwn(namespaces, name) && namespaces[name]) || namespaces.default];
  }
  const prefix = prefixOf(topicOrPattern);
  const matching = Object.keys(namespaces).filter((name) => name.startsWith(prefix) && !isReserved(name));
  return [namespaces.default, ...matching.map((name) => namespaces[name] ?? namespaces.default)];
}
