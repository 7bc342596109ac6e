import type { OriginPolicy } from '../auth/origins.ts';
import { SluiceError } from '../errors.ts';
import type { ErrorLog } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { withCors } from './cors.ts';
import { type ApiResponse, errorResponse, forMethod } from './http.ts';
import type { ApiRequest } from './read-head.ts';

export interface ResponderOptions {
  readonly origins: OriginPolicy;
  readonly metrics: Pick<Metrics, 'httpRequestsTotal' | 'httpRequestSeconds' | 'authFailuresTotal'>;
  readonly log: ErrorLog;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs: () => number;
}

/** The last steps of every request: its error as a response, then what is counted and what browsers need. */
export class Responder {
  readonly #options: ResponderOptions;

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  /** The response to an error. Internal details are logged and not sent to the client; both have the same id. */
  failed(error: unknown, { path, id: request }: ApiRequest): ApiResponse {
    const { metrics, log } = this.#options;
    if (!(error instanceof SluiceError) || error.code === 'internal') {
      log.error({ err: error, route: path, request }, 'a request failed');
      return errorResponse(new SluiceError('internal', undefined, { details: { request } }));
    }
    if (error.isAuthFault) metrics.authFailuresTotal.inc({ reason: error.code });
    return errorResponse(error);
  }

  /** Counts the request, and returns the response as the client gets it. Call it once. */
  completed({ path, startMs, method, origin }: ApiRequest, response: ApiResponse): ApiResponse {
    const { metrics, origins, monotonicMs } = this.#options;
    metrics.httpRequestsTotal.inc({ route: path, status: String(response.status) });
    metrics.httpRequestSeconds.labels({ route: path }).observe((monotonicMs() - startMs) / 1000);
    return forMethod(method, withCors(response, origin, origins));
  }
}
