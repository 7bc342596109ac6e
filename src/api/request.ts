import type { Identity } from '../auth/identity.ts';
import type { Awaitable } from '../awaitable.ts';
import type { SluiceError } from '../errors.ts';
import { type Departing, Departure } from '../sessions/departure.ts';
import type { RequestHead } from './http.ts';
import type { Match } from './match.ts';
import type { Route } from './route.ts';

/** The label of requests that no route takes. */
const unmatched = 'unmatched';

/**
 * A request, from its head to its response. The steps of `head-steps.ts` fill it in, in their order: the head is gone
 * when the body arrives.
 */
export class ApiRequest implements Pick<Departing, 'onGone'> {
  readonly startMs: number;
  readonly method: string;
  /** Empty: it has none, or no response depends on it. */
  readonly origin: string;
  /** By which the log and the client know it. */
  readonly id: string;
  /** The pattern of the path, for metrics and the log. */
  readonly path: string;
  readonly match: Match | undefined;
  /** Set by the step `findRoute`, if there is one. */
  route: Route | undefined;
  /** Set by the step `identify`: the caller, or why the request is refused. */
  identity: Awaitable<Identity | SluiceError> | undefined;
  /** Absent until something waits for the application. */
  #departure: Departure | undefined;
  /** Percent-encoded, like the parameters of the path; empty on routes without one. */
  query = '';
  contentType = '';
  ifNoneMatch = '';
  acceptEncoding = '';

  constructor(head: RequestHead, match: Match | undefined, origin: string, startMs: number) {
    this.startMs = startMs;
    this.method = head.method;
    this.origin = origin;
    this.id = head.requestId ?? '';
    this.match = match;
    this.path = match?.place.path ?? unmatched;
  }

  onGone(run: () => void): () => void {
    this.#departure ??= new Departure();
    return this.#departure.onGone(run);
  }

  /** The client has left: what is asked for it is given up. */
  left(): void {
    this.#departure?.over();
  }

  /** The route, after the step `findRoute`. */
  foundRoute(): Route {
    if (this.route === undefined)
      throw new Error('the route of this request was not looked for, or not found');
    return this.route;
  }
}
