/** What an API key is good for; a route of the API needs one of them. */
export type Scope = 'publish' | 'read' | 'admin';

export const allScopes: readonly Scope[] = ['publish', 'read', 'admin'];

/** What may be done with a topic. History counts as `subscribe`. */
export type TopicAction = 'subscribe' | 'publish' | 'presence';

export const topicActions = ['subscribe', 'publish', 'presence'] as const satisfies readonly TopicAction[];

/** A topic, or a prefix and one trailing `*`, and what is allowed there. */
export interface TopicPermission {
  readonly pattern: string;
  readonly allow: readonly TopicAction[];
}

/** Who sent a request or opened a session. Holds no credential, so it may be logged. */
export interface Identity {
  /** `sub` of the token. */
  readonly user?: string;
  /**
   * Has shown no credential where one is needed: a session that may send `connect`, and is no part of anything before.
   */
  readonly unauthenticated?: true;
  readonly permissions: readonly TopicPermission[];
  /** When the token expires, milliseconds since 1970. */
  readonly expiresAtMs?: number;
  /** The name of the key, never the key. */
  readonly apiKey?: string;
  /** Of a key, or of this machine where there are no keys; empty for tokens and anonymous clients. */
  readonly scopes: readonly Scope[];
}

export const anonymousIdentity: Identity = Object.freeze({ permissions: [], scopes: [] });

/** A client that has opened a connection and still has to show a credential. */
export const unauthenticatedIdentity: Identity = Object.freeze({
  unauthenticated: true,
  permissions: [],
  scopes: [],
});

/** This machine itself, where no keys are configured and the local guard found nothing. */
export const localIdentity: Identity = Object.freeze({
  permissions: [],
  scopes: allScopes,
});
