import type { Identity, TopicAction } from '../auth/identity.ts';
import { may, type NamespaceAccessTable } from '../auth/permissions.ts';
import { SluiceError } from '../errors.ts';

/**
 * Why this caller may not do this with this topic. The gate has held keys, and this machine itself, to their scopes;
 * tokens are held to their permissions here.
 */
export function forbiddenBy(
  identity: Identity,
  action: TopicAction,
  topic: string,
  namespaces: NamespaceAccessTable,
): SluiceError | undefined {
  if (identity.scopes.length > 0 || may(identity, action, topic, namespaces)) return undefined;
  return new SluiceError('forbidden', `the token does not allow to ${action} here`);
}
