import { request } from 'node:https';
import { buffer } from 'node:stream/consumers';

/** As `fetch`, for a gateway on this machine with TLS: its certificate need not name the address that is used here. */
export async function fetchOwn(url: string, init: RequestInit = {}): Promise<Response> {
  const { method = 'GET', headers, body, signal } = init;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method,
        headers: Object.fromEntries(new Headers(headers)),
        rejectUnauthorized: false,
        signal: signal ?? undefined,
      },
      (response) => {
        buffer(response).then(
          (bytes) => resolve(new Response(new Uint8Array(bytes), { status: response.statusCode ?? 0 })),
          reject,
        );
      },
    );
    outgoing.once('error', reject);
    outgoing.end(typeof body === 'string' || body instanceof Uint8Array ? body : undefined);
  });
}
