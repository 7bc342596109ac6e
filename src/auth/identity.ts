import type { Filter } from '../protocol/frames.ts';

/** What an API key allows. Each route of the API needs one of them. */
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

/** What a topic token lets its bearer subscribe to. */
export interface TopicGrant {
  /** A topic or a pattern. */
  readonly target: string;
  /** Only publications that match it, whatever filter the client asks for. */
  readonly filter?: Filter;
}

/** The client that sent a request or opened a session. Holds no credential, so it may be logged. */
export interface Identity {
  /** `sub` of the token, or whom the application has named. */
  readonly user?: string;
  /** A credential is needed and was not shown yet: such a session may only send `connect` and `ping`. */
  readonly unauthenticated?: true;
  readonly permissions: readonly TopicPermission[];
  /**
   * Set where the application has named `user`: whom the token names, and when (milliseconds since 1970) the
   * application was asked. Its answer may be older than a revocation that came while it was asked.
   */
  readonly named?: { readonly inPlaceOf: string | undefined; readonly askedAtMs: number };
  /** `jti` of the token. */
  readonly tokenId?: string;
  /** `iat` of the token, milliseconds since 1970. */
  readonly issuedAtMs?: number;
  /** What a topic token permits; it is good for subscriptions and for nothing else. */
  readonly grant?: TopicGrant;
  /** When the token expires, milliseconds since 1970. */
  readonly expiresAtMs?: number;
  /** The name of the key, never the key. */
  readonly apiKey?: string;
  /** The scopes of a key, or of this machine if no keys are configured; empty for tokens and anonymous clients. */
  readonly scopes: readonly Scope[];
  /** Topics that its sessions join without asking, because the application says so. */
  readonly joins?: readonly string[];
  /** The topics and patterns to which a key is limited; absent: to none. */
  readonly topics?: readonly string[];
}

/** An operator: an API key, or this machine itself. Its requests are not limited, and its time is not charged. */
export function isOperator({ scopes }: Identity): boolean {
  return scopes.length > 0;
}

export const anonymousIdentity: Identity = Object.freeze({ permissions: [], scopes: [] });

/** A client that has opened a connection and still has to show a credential. */
export const unauthenticatedIdentity: Identity = Object.freeze({
  unauthenticated: true,
  permissions: [],
  scopes: [],
});

/** This machine itself, where no keys are configured and `loopbackAccess` has no objection. */
export const localIdentity: Identity = Object.freeze({
  permissions: [],
  scopes: allScopes,
});
