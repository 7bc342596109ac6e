import type { Identity } from '../auth/identity.ts';
import type { Awaitable } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { Filter, Payload, PublishFields } from '../protocol/frames.ts';
import type { Payer } from '../topics/payer.ts';
import type { Departing } from './departure.ts';

/** The client that asks for something, as the application is told of it. */
export interface Asker {
  /** Absent: it has no session (yet). */
  readonly session?: string;
  readonly identity: Identity;
  /** The name of its transport; of a request to the HTTP API `http`. Absent: it is not known yet. */
  readonly transport?: string;
  readonly address?: string;
  /** Charged for questions and payloads that wait for the application. */
  readonly payer: Payer;
  /** See `Departing`. */
  readonly onGone?: Departing['onGone'] | undefined;
}

/**
 * Why the application is asked about a connection. `open`: a client asks for it. `authenticate`: its session has shown
 * its first credential. `refresh`: its session has shown another one.
 */
export type ConnectReason = 'open' | 'authenticate' | 'refresh';

/** The facts of a request for a connection. */
export interface ConnectFacts {
  readonly reason: ConnectReason;
  /** The origin of the page; empty: none. */
  readonly origin: string;
  /** Headers of the request, for the application. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface SubscribeGrant {
  /** The client may subscribe, even if its credential does not allow it. */
  readonly grant: boolean;
  /** The client gets only what this matches, besides its own filter. */
  readonly filter?: Filter | undefined;
}

/**
 * The hooks of the application; one that is not configured is absent. An error among the results is
 * the refusal that the client gets; no method rejects. When a client goes, its questions are given up, except those
 * about publications. Consumers: the sessions and the HTTP API.
 */
export interface Application {
  /** Returns who the client is from now on: what its credential says, and what the application adds. */
  readonly connect?: ((asker: Asker, facts: ConnectFacts) => Awaitable<Identity | SluiceError>) | undefined;
  /** Returns a result for each topic or pattern, in order. */
  readonly subscribe?:
    | ((
        asker: Asker,
        wanted: readonly WantedSubscription[],
      ) => Awaitable<readonly (SubscribeGrant | SluiceError)[]>)
    | undefined;
  /** Returns for each, in order, why it may not; undefined: it may. Keeps the payload bytes while it runs. */
  readonly publish?:
    | ((asker: Asker, publishes: readonly PublishFields[]) => Awaitable<readonly (SluiceError | undefined)[]>)
    | undefined;
  /** Undefined: the application takes no calls. Copies the payload unless it lasts. */
  readonly call?: (
    asker: Asker,
    method: string,
    payload: Payload,
  ) => Awaitable<Payload | SluiceError> | undefined;
}

/** Why a call is refused where the application takes none. */
export function noCalls(): SluiceError {
  return new SluiceError(
    'not_supported',
    'the application behind this gateway takes no calls of this method',
  );
}

export interface WantedSubscription {
  /** A topic or pattern, well-formed. */
  readonly topic: string;
  /** Whether its credential allows it. */
  readonly permitted: boolean;
}

/** The filter that both the application and the client set. */
export function both(theirs: Filter | undefined, own: Filter | undefined): Filter | undefined {
  if (theirs === undefined || own === undefined) return theirs ?? own;
  return { op: 'and', filters: [theirs, own] };
}

/** The refusal for this topic, or how the client may read it; undefined: as it asks. */
export function readingOf(
  decision: SubscribeGrant | SluiceError | undefined,
  refusal: SluiceError | undefined,
): { readonly filter?: Filter | undefined } {
  if (decision instanceof SluiceError) throw decision;
  if (refusal !== undefined && decision?.grant !== true) throw refusal;
  return { filter: decision?.filter };
}
