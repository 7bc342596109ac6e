import { joinedBytes } from '../joined-bytes.ts';
import { HookFailure } from './failure.ts';
import type { Hold } from './gate.ts';
import { signed } from './signature.ts';

export interface EndpointOptions {
  readonly url: string;
  readonly secret: string;
  readonly userAgent: string;
}

/** A URL of the application, to which signed JSON is posted. Connections are kept open between requests. */
export class Endpoint {
  readonly #options: EndpointOptions;

  constructor(options: EndpointOptions) {
    this.#options = options;
  }

  /**
   * Resolves with the body of a 2xx response. Rejects with a `HookFailure` for any other, for a redirect (which is not
   * followed), and for a body of more than `responseMaxBytes`, which is not read to its end. `hold` is told what both
   * bodies take.
   */
  async post(
    body: Uint8Array<ArrayBuffer>,
    responseMaxBytes: number,
    signal: AbortSignal,
    hold: Hold = () => undefined,
  ): Promise<Uint8Array> {
    // `fetch` copies it.
    hold(2 * body.length);
    const { url, secret, userAgent } = this.#options;
    const headers = {
      'content-type': 'application/json',
      'accept-encoding': 'identity',
      'user-agent': userAgent,
      ...signed(secret, body, Date.now()),
    };
    try {
      const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal });
      const { status } = response;
      if (status >= 200 && status < 300) return await bodyOf(response, responseMaxBytes, hold);
      void response.body?.cancel().catch(() => undefined);
      throw new HookFailure(
        status >= 300 && status < 400 ? 'redirect' : 'status',
        `it answered with status ${status}`,
        status,
      );
    } catch (error) {
      if (error instanceof HookFailure) throw error;
      if (signal.aborted) throw signal.reason;
      const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
      throw new HookFailure(
        'network',
        `it can't be reached at ${new URL(url).host}${code === undefined ? '' : `: ${code}`}`,
      );
    }
  }
}

function bodyOf({ body }: Response, maxBytes: number, hold: Hold): Promise<Uint8Array> {
  const tooLarge = () => new HookFailure('too_large', `its answer has more than ${maxBytes} bytes`);
  return joinedBytes(body ?? [], maxBytes, tooLarge, hold);
}
