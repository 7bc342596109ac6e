import { HookFailure } from './failure.ts';
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
   * followed), and for a body of more than `responseMaxBytes`, which is not read to its end.
   */
  async post(
    body: Uint8Array<ArrayBuffer>,
    responseMaxBytes: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
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
      if (status >= 200 && status < 300) return await bodyOf(response, responseMaxBytes);
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

async function bodyOf(response: Response, maxBytes: number): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0);
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks);
    length += value.length;
    if (length > maxBytes) {
      void reader.cancel().catch(() => undefined);
      throw new HookFailure('too_large', `its answer has more than ${maxBytes} bytes`);
    }
    chunks.push(value);
  }
}
