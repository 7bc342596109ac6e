import type { Identity } from '../auth/identity.ts';
import type { Awaitable } from '../awaitable.ts';
import type { SluiceError } from '../errors.ts';
import { Departure } from '../sessions/departure.ts';
import type { RequestHead } from './http.ts';
import type { Match } from './match.ts';
import type { Route } from './route.ts';

/** The label of requests that no route takes. */
const unmatched = 'unmatched';

/**
 * A request, from its head to its response. The steps of `head-steps.ts` fill it in, in their order: the head is gone
 * when the body arrives.
 */
export class ApiRequest {
  readonly startMs: number;
  readonly method: string;
  readonly origin: string;
  /** By which the log and the client know it. */
  readonly id: string;
  /** Percent-encoded, like the parameters of the path. */
  readonly query: string;
  /** The pattern of the path, for metrics and the log. */
  readonly path: string;
  readonly match: Match | undefined;
  /** Set by the step `findRoute`, if there is one. */
  route: Route | undefined;
  /** Set by the step `identify`: the caller, or why the request is refused. */
  identity: Awaitable<Identity | SluiceError> | undefined;
  readonly departure = new Departure();
  contentType = '';
  ifNoneMatch = '';
  acceptEncoding = '';

  constructor(head: RequestHead, match: Match | undefined, startMs: number) {
    this.startMs = startMs;
    this.method = head.method;
    this.origin = head.header('origin');
    this.id = head.requestId ?? '';
    this.query = head.query;
    this.match = match;
    this.path = match?.place.path ?? unmatched;
  }

  /** The route, after the step `findRoute`. */
  foundRoute(): Route {
    if (this.route === undefined)
      throw new Error('the route of this request was not looked for, or not found');
    return this.route;
  }
}
