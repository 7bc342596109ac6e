import type { TopicPermission } from '../auth/identity.ts';
import type { Filter, Tags } from '../protocol/frames.ts';
import type { ConnectReason } from '../sessions/application.ts';

/** The client that a hook is asked about. */
export interface HookClient {
  /** Absent while its connection is not open yet, and for requests to the HTTP API. */
  readonly session?: string;
  /** `sub` of its token, or what the connect hook said. */
  readonly user?: string;
  /** `websocket`, `sse`, `poll`, or `http` for a request to the HTTP API. */
  readonly transport?: string;
  readonly address?: string;
}

/** Denies the request: the client gets the error `denied` with this reason of at most 200 characters. */
export interface Denial {
  readonly allow: false;
  readonly reason?: string | undefined;
}

export interface ConnectQuestion {
  readonly client: HookClient;
  readonly reason: ConnectReason;
  /** The page's origin; empty: none. */
  readonly origin: string;
  /** The headers of the request that `hookHeaders` names. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface ConnectConsent {
  readonly allow: true;
  /** The user, in place of the token's. */
  readonly user?: string | undefined;
  /** Topics that the gateway subscribes it to at once. */
  readonly topics?: readonly string[] | undefined;
  /** Permissions besides those of its token. */
  readonly permissions?: readonly TopicPermission[] | undefined;
}

export interface SubscribeQuestion {
  readonly client: HookClient;
  readonly subscriptions: readonly {
    /** A topic or pattern. */
    readonly topic: string;
    /** Whether the client's credential permits it. */
    readonly permitted: boolean;
  }[];
}

export interface SubscribeConsent {
  readonly allow: true;
  /** Permits it even if the credential does not. Has no effect for names with `$` and topics of other users. */
  readonly grant?: boolean | undefined;
  /** The client gets only what this matches, besides its own filter. */
  readonly filter?: Filter | undefined;
}

export interface PublishQuestion {
  readonly client: HookClient;
  readonly publications: readonly {
    readonly topic: string;
    readonly type: string;
    readonly key?: string;
    readonly tags?: Tags;
    /** The published payload; bytes if it is not JSON. */
    readonly data: unknown;
  }[];
}

export interface PublishConsent {
  readonly allow: true;
}

export interface CallQuestion {
  readonly client: HookClient;
  readonly method: string;
  /** The payload of the call; bytes if it is not JSON. */
  readonly data: unknown;
}

/** `data`: a JSON value, or bytes. */
export interface CallAnswer {
  readonly data: unknown;
}

/** One answer for all, or one for each, in order. */
type Each<T> = T | Denial | { readonly results: readonly (T | Denial)[] };
type Eventually<T> = T | PromiseLike<T>;

/** What a function gets besides its question. */
export interface HookContext {
  /** Aborted when the answer is no longer wanted: after the timeout, or when the client is gone. */
  readonly signal: AbortSignal;
}
type Hook<Q, A> = (question: Q, context: HookContext) => Eventually<A>;

/**
 * The hooks of an embedded gateway. Each gets the question of the HTTP hook of the same name, and answers alike, or
 * throws a `SluiceError`, which the client gets.
 */
export interface Hooks {
  readonly connect?: Hook<ConnectQuestion, ConnectConsent | Denial> | undefined;
  readonly subscribe?: Hook<SubscribeQuestion, Each<SubscribeConsent>> | undefined;
  readonly publish?: Hook<PublishQuestion, Each<PublishConsent>> | undefined;
  readonly call?: Hook<CallQuestion, CallAnswer | Denial> | undefined;
}

/** Handles the calls of one method. The client gets the result as `data`, or the `SluiceError` that it throws. */
export type CallHandler = (question: CallQuestion, context: HookContext) => unknown;

export const hookNames = ['connect', 'subscribe', 'publish', 'call'] as const;
export type HookName = (typeof hookNames)[number];
