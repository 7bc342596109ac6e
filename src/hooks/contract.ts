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

/** No: the client gets the error `denied` with this reason, at most 200 characters. */
export interface Denial {
  readonly allow: false;
  readonly reason?: string;
}

export interface ConnectQuestion {
  readonly client: HookClient;
  readonly reason: ConnectReason;
  /** Of the page; empty: none. */
  readonly origin: string;
  /** Those that `hookHeaders` names and the request has. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface ConnectConsent {
  readonly allow: true;
  /** Who it is, instead of what its token says. */
  readonly user?: string;
  /** Topics that it is subscribed to at once, without asking. */
  readonly topics?: readonly string[];
  /** Besides what its token permits. */
  readonly permissions?: readonly TopicPermission[];
}

export interface SubscribeQuestion {
  readonly client: HookClient;
  readonly subscriptions: readonly {
    /** A topic or pattern. */
    readonly topic: string;
    /** Whether its credential allows it. */
    readonly permitted: boolean;
  }[];
}

export interface SubscribeConsent {
  readonly allow: true;
  /** Permits it though the credential does not. Never for names with `$`, nor for another user's topic. */
  readonly grant?: boolean;
  /** The client gets only what this matches, whatever filter it asks for itself. */
  readonly filter?: Filter;
}

export interface PublishQuestion {
  readonly client: HookClient;
  readonly publications: readonly {
    readonly topic: string;
    readonly type: string;
    readonly key?: string;
    readonly tags?: Tags;
    /** What was published; bytes where it is not JSON. */
    readonly data: unknown;
  }[];
}

export interface PublishConsent {
  readonly allow: true;
}

export interface CallQuestion {
  readonly client: HookClient;
  readonly method: string;
  /** What was sent; bytes where it is not JSON. */
  readonly data: unknown;
}

/** `data`: anything that JSON can say, or bytes. */
export interface CallAnswer {
  readonly data: unknown;
}

/** One answer for all, or one for each, in order. */
type Each<T> = T | Denial | { readonly results: readonly (T | Denial)[] };
type Eventually<T> = T | PromiseLike<T>;

/** What a function gets besides its question. */
export interface Asked {
  /** Aborted when the answer comes too late: its time is over, or its client has gone. */
  readonly signal: AbortSignal;
}
type Hook<Q, A> = (question: Q, asked: Asked) => Eventually<A>;

/** The hooks of an embedded gateway. Each is asked as its HTTP twin is, and answers the same. */
export interface Hooks {
  readonly connect?: Hook<ConnectQuestion, ConnectConsent | Denial>;
  readonly subscribe?: Hook<SubscribeQuestion, Each<SubscribeConsent>>;
  readonly publish?: Hook<PublishQuestion, Each<PublishConsent>>;
  readonly call?: Hook<CallQuestion, CallAnswer | Denial>;
}

/** Answers calls of one method. What it returns is the client's `data`. Throw a `SluiceError` to refuse. */
export type CallHandler = (question: CallQuestion, asked: Asked) => unknown;

export const hookNames = ['connect', 'subscribe', 'publish', 'call'] as const;
export type HookName = (typeof hookNames)[number];
