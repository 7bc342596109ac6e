import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { joinedBytes } from '../joined-bytes.ts';
import { HookFailure } from './failure.ts';
import type { Hold } from './gate.ts';
import { signed } from './signature.ts';

export interface EndpointOptions {
  readonly url: string;
  readonly secret: string;
  readonly userAgent: string;
}

/** How long an unused connection is kept open. Servers close theirs after five seconds or later. */
const idleMs = 4000;

/** Responses of status 1xx before the one that counts. Reading a flood of them takes all of the time that there is. */
const interimMax = 10;

/**
 * A URL of the application, to which signed JSON is posted. Connections are kept open between requests. `fetch` would
 * copy each body, and hold more for a question than the question.
 */
export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #url: URL;
  readonly #protocol: typeof http | typeof https;
  readonly #agent: http.Agent;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    this.#protocol = this.#url.protocol === 'https:' ? https : http;
    this.#agent = new this.#protocol.Agent({ keepAlive: true, timeout: idleMs });
  }

  /**
   * Resolves with the body of a 2xx response. Rejects with a `HookFailure` for any other, for a redirect (which is not
   * followed), and for a body of more than `responseMaxBytes`, which is not read to its end. The request is made of
   * `pieces`, none of which is copied. `hold` is told what both bodies take.
   */
  async post(
    pieces: readonly Uint8Array[],
    responseMaxBytes: number,
    signal: AbortSignal,
    hold: Hold = () => undefined,
  ): Promise<Uint8Array> {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    hold(length);
    const { secret, userAgent } = this.#options;
    const headers = {
      'content-type': 'application/json',
      'content-length': length,
      'accept-encoding': 'identity',
      'user-agent': userAgent,
      ...signed(secret, pieces, Date.now()),
    };
    try {
      const request = this.#protocol.request(this.#url, {
        method: 'POST',
        headers,
        signal,
        agent: this.#agent,
      });
      const response = await responded(request, pieces);
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return await bodyOf(response, responseMaxBytes, hold);
      request.destroy();
      throw new HookFailure(
        status >= 300 && status < 400 ? 'redirect' : 'status',
        `it answered with status ${status}`,
        status,
      );
    } catch (error) {
      if (error instanceof HookFailure) throw error;
      if (signal.aborted) throw signal.reason;
      const { code } = error as NodeJS.ErrnoException;
      throw new HookFailure(
        'network',
        `it can't be reached at ${this.#url.host}${code === undefined ? '' : `: ${code}`}`,
      );
    }
  }
}

function responded(request: ClientRequest, pieces: readonly Uint8Array[]): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // The listener stays: an error may also come after the response.
    request.on('error', reject).once('response', resolve);
    // A change of the protocol (status 101) is neither.
    request.once('close', () => reject(new Error('no response')));
    let interim = 0;
    request.on('information', () => {
      if (++interim <= interimMax) return;
      reject(new Error('no response'));
      request.destroy();
    });
    request.cork();
    for (const piece of pieces) request.write(piece);
    request.end();
    request.uncork();
  });
}

function bodyOf(response: IncomingMessage, maxBytes: number, hold: Hold): Promise<Uint8Array> {
  const tooLarge = () => new HookFailure('too_large', `its answer has more than ${maxBytes} bytes`);
  return joinedBytes(response, maxBytes, tooLarge, hold);
}
