import type { Identity, TopicAction } from '../auth/identity.ts';
import { may, type NamespaceAccessTable } from '../auth/permissions.ts';
import { SluiceError } from '../errors.ts';
import { broadcastTopic } from '../topics/names.ts';

/**
 * Why this caller may not do this with this topic. The gate has held keys, and this machine itself, to their scopes, and
 * they may read whatever the gateway holds, its own topics included; tokens are held to their permissions here. Broadcasts
 * are for every session, so whoever has a token may read them.
 */
export function forbiddenBy(
  identity: Identity,
  action: TopicAction,
  topic: string,
  namespaces: NamespaceAccessTable,
): SluiceError | undefined {
  const isOpen = action === 'subscribe' && topic === broadcastTopic;
  if (isOpen || identity.scopes.length > 0 || may(identity, action, topic, namespaces)) return undefined;
  return new SluiceError('forbidden', `the token does not allow to ${action} here`);
}
