import { credentialNeeded, SluiceError } from '../errors.ts';
import {
  broadcastTopic,
  isPattern,
  isReserved,
  patternMatches,
  revocationsTopic,
} from '../topics/topic-name.ts';
import type { Identity, Scope, TopicAction } from './identity.ts';
import { covers, may, mayAnywhere, type NamespaceAccessTable } from './permissions.ts';

/**
 * Returns why this identity may not do this with a topic, or with every topic of a pattern; undefined: it may.
 * WebSocket commands, paths of WebSockets and HTTP all call it. The name is well-formed.
 *
 * - A session that has not authenticated may do nothing: `unauthorized`.
 * - Names that begin with `$` are Sluice's own: no client publishes there. `$all`, the broadcasts, may be read by all
 *   others; the rest by keys that may read.
 * - Keys, and this machine itself where it needs none, do what their scopes say.
 * - Everyone else does what the token's `topics`, the user's own topic and the namespaces allow: see `may`.
 */
export type Authorize = (
  identity: Identity,
  action: TopicAction,
  topicOrPattern: string,
) => SluiceError | undefined;

const scopeFor: Readonly<Record<TopicAction, Scope>> = {
  subscribe: 'read',
  publish: 'publish',
  presence: 'read',
};

const words: Readonly<Record<TopicAction, string>> = {
  subscribe: 'read',
  publish: 'publish to',
  presence: 'see who is in',
};

export function authorizer(namespaces: NamespaceAccessTable): Authorize {
  return (identity, action, topicOrPattern) => {
    if (identity.unauthenticated === true) return credentialNeeded();
    if (isAllowed(identity, action, topicOrPattern, namespaces)) return undefined;
    return new SluiceError('forbidden', `not allowed to ${words[action]} ${topicOrPattern}`);
  };
}

/**
 * Returns why this identity may publish to no topic at all, so that its body need not be read; undefined: it may to
 * some.
 */
export type AuthorizePublishing = (identity: Identity) => SluiceError | undefined;

export function publishingAuthorizer(namespaces: NamespaceAccessTable): AuthorizePublishing {
  return (identity) =>
    identity.scopes.includes(scopeFor.publish) || mayAnywhere(identity, 'publish', namespaces)
      ? undefined
      : new SluiceError('forbidden', 'not allowed to publish to any topic');
}

function isAllowed(
  identity: Identity,
  action: TopicAction,
  topicOrPattern: string,
  namespaces: NamespaceAccessTable,
): boolean {
  if (action === 'publish' && isReserved(topicOrPattern)) return false;
  if (action === 'subscribe' && topicOrPattern === broadcastTopic) return true;
  // Only a credential that may revoke may read what is revoked.
  if (reachesRevocations(topicOrPattern) && !identity.scopes.includes('admin')) return false;
  return hasScope(identity, action, topicOrPattern) || may(identity, action, topicOrPattern, namespaces);
}

function reachesRevocations(topicOrPattern: string): boolean {
  return isPattern(topicOrPattern)
    ? patternMatches(topicOrPattern, revocationsTopic)
    : topicOrPattern === revocationsTopic;
}

/** A key that is limited to some topics reads and publishes no others, and none of Sluice's own. */
function hasScope({ scopes, topics }: Identity, action: TopicAction, topicOrPattern: string): boolean {
  if (!scopes.includes(scopeFor[action])) return false;
  return (
    topics === undefined ||
    (!isReserved(topicOrPattern) && topics.some((each) => covers(each, topicOrPattern)))
  );
}
