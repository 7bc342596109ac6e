import type { z } from 'zod';
import type { Identity } from '../auth/identity.ts';
import type { AccessLevel } from '../auth/request-access.ts';
import type { Awaitable } from '../awaitable.ts';
import type { ErrorCode } from '../errors.ts';
import type { Departing } from '../sessions/departure.ts';
import type { Payer } from '../topics/payer.ts';
import type { ApiResponse } from './http.ts';
import type { ApiPorts } from './ports.ts';

/** A request that was let in and validated. */
export interface Call<Params = unknown, Query = unknown> {
  readonly params: Params;
  readonly query: Query;
  /** Whole, and the call's own; empty for GET. */
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly ifNoneMatch: string;
  /** The header of that name, on routes that are open to all; else empty. */
  readonly acceptEncoding: string;
  readonly identity: Identity;
  /** Who pays for what is kept because of it. */
  readonly payer: Payer;
  readonly departure: Pick<Departing, 'onGone'>;
}

export interface RouteBody {
  /** The first is the usual one. No HTML form may be able to send any of them. */
  readonly mediaTypes: readonly string[];
  /** May be left out. */
  readonly optional?: true;
  readonly schema: z.ZodType;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** With `{name}` for a segment that is a parameter. */
  readonly path: string;
  readonly summary: string;
  readonly access: AccessLevel;
  /** A token is enough, too: the handler asks what it permits. */
  readonly byToken?: true;
  /** For monitoring, and cheap: never refused because its address asks too often. */
  readonly isProbe?: true;
  /** Served by the transport, which knows more than requests and responses; listed here for what is said of it. */
  readonly isStream?: true;
  readonly params?: z.ZodObject;
  /** Absent: the query is ignored. */
  readonly query?: z.ZodObject;
  readonly body?: RouteBody;
  /** The body of a 200: JSON of this schema, or another media type. */
  readonly response: z.ZodType | string;
  /** The errors that it may respond with besides those of every route; absent: none. */
  readonly errors?: readonly ErrorCode[];
  /** Throws a `SluiceError` to respond with it. */
  handle(call: Call, ports: ApiPorts): Awaitable<ApiResponse>;
}

interface TypedRoute<P, Q> {
  readonly params?: P;
  readonly query?: Q;
  handle(call: Call<Shape<P>, Shape<Q>>, ports: ApiPorts): Awaitable<ApiResponse>;
}
type Shape<S> = S extends z.ZodType ? z.output<S> : unknown;

/** The compiler checks that a handler takes what the route's schemas yield. */
function routeBy(method: Route['method']) {
  return <P extends z.ZodObject | undefined = undefined, Q extends z.ZodObject | undefined = undefined>(
    path: string,
    spec: Omit<Route, 'method' | 'path' | 'params' | 'query' | 'handle'> & TypedRoute<P, Q>,
  ): Route => ({ method, path, ...spec }) as Route;
}

export const get = routeBy('GET');
export const post = routeBy('POST');
export const put = routeBy('PUT');
