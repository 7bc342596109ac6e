import * as http from 'node:http';
import * as https from 'node:https';

/** A complete response of the server at the URL, which may be a proxy. */
export interface GatewayResponse {
  readonly status: number;
  readonly text: string;
  /** From `Retry-After`, if that is a number of seconds. */
  readonly retryAfterMs: number | undefined;
}

/** The request ended without a response: where it was sent, it is unknown whether the gateway has published. */
export class NoResponse extends Error {
  /** There was a connection. Otherwise nothing was sent. */
  readonly isSent: boolean;
  /** It used an idle connection, which the server may have closed at that moment. */
  readonly isReused: boolean;
  /** The server accepted the request, but did not respond in time. */
  readonly isLate: boolean;

  constructor(
    message: string,
    { isSent, isReused, isLate }: Pick<NoResponse, 'isSent' | 'isReused' | 'isLate'>,
    cause?: unknown,
  ) {
    super(message, { cause });
    this.isSent = isSent;
    this.isReused = isReused;
    this.isLate = isLate;
  }
}

/** A thousand results are about 100 KiB, or 300 KiB where all are errors. */
const responseMaxBytes = 8 * 2 ** 20;
/** Assumed if the server does not say how long it keeps an idle connection. Node's servers keep it for 5 s. */
const usualIdleMs = 4000;
/** An idle connection is closed this long before the server would close it. */
const idleMarginMs = 1000;

export interface GatewayRequest {
  readonly method: string;
  /** Below the URL of the gateway. */
  readonly path: string;
  readonly headers: http.OutgoingHttpHeaders;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * HTTP connections to a gateway: one per request in flight, kept alive between requests, and opened on demand. An idle
 * connection does not keep the process alive.
 */
export class GatewayConnection {
  readonly #base: URL;
  readonly #client: typeof http | typeof https;
  readonly #agent: http.Agent;
  #idleTimer: NodeJS.Timeout | undefined;
  #inFlight = 0;

  constructor(base: URL) {
    this.#base = base;
    this.#client = base.protocol === 'https:' ? https : http;
    this.#agent = new this.#client.Agent({ keepAlive: true });
  }

  /**
   * Resolves with the response, whatever its status. Rejects with `NoResponse`, at the latest after `timeoutMs`, or at
   * an abort.
   */
  request({ method, path, headers, body, timeoutMs, signal }: GatewayRequest): Promise<GatewayResponse> {
    clearTimeout(this.#idleTimer);
    this.#inFlight++;
    return new Promise<GatewayResponse>((resolve, reject) => {
      let isLate = false;
      let isSent = false;
      const request = this.#client.request(this.#urlOf(path), {
        method,
        agent: this.#agent,
        headers: { ...headers, 'content-length': body.length },
        signal,
      });
      const timer = setTimeout(() => {
        isLate = isSent;
        request.destroy(new Error(`no response within ${timeoutMs} ms`));
      }, timeoutMs);
      const failed = (error: Error) => {
        clearTimeout(timer);
        reject(new NoResponse(error.message, { isSent, isReused: request.reusedSocket, isLate }, error));
      };
      request.once('socket', (socket) => {
        isSent = !socket.connecting;
        if (socket.connecting)
          socket.once('connect', () => {
            isSent = true;
          });
      });
      request.once('response', (response) => {
        this.#read(response).then((complete) => {
          clearTimeout(timer);
          resolve(complete);
        }, failed);
      });
      request.on('error', failed);
      request.end(body);
    }).finally(() => {
      this.#inFlight--;
    });
  }

  close(): void {
    clearTimeout(this.#idleTimer);
    this.#agent.destroy();
  }

  #urlOf(path: string): URL {
    const url = new URL(this.#base);
    url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
    return url;
  }

  async #read(response: http.IncomingMessage): Promise<GatewayResponse> {
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of response) {
      bytes += (piece as Buffer).length;
      if (bytes > responseMaxBytes) throw new Error(`the response has more than ${responseMaxBytes} bytes`);
      pieces.push(piece as Buffer);
    }
    this.#closeWhenIdle(response.headers['keep-alive']);
    const seconds = response.headers['retry-after'];
    return {
      status: response.statusCode ?? 0,
      text: Buffer.concat(pieces).toString(),
      retryAfterMs: seconds !== undefined && /^\d{1,7}$/.test(seconds) ? Number(seconds) * 1000 : undefined,
    };
  }

  /** Called for the last request in flight: after it the agent has idle connections only. */
  #closeWhenIdle(keepAlive: string | string[] | undefined): void {
    if (this.#inFlight > 1) return;
    clearTimeout(this.#idleTimer);
    const seconds = /timeout=(\d{1,6})/.exec(String(keepAlive))?.[1];
    const keptMs = seconds === undefined ? usualIdleMs : Number(seconds) * 1000;
    this.#idleTimer = setTimeout(() => this.#agent.destroy(), Math.max(0, keptMs - idleMarginMs));
    this.#idleTimer.unref();
  }
}
