import type { HttpResponse } from 'uWebSockets.js';
import { expect, test } from 'vitest';
import type { SluiceError } from '../../../src/errors.ts';
import { HeldBytes } from '../../../src/sessions/charges.ts';
import { RequestBody } from '../../../src/transport/uws/request-body.ts';

/** As the library's: what it brings is gone when its handler returns. */
class FakeResponse {
  #take: (chunk: ArrayBuffer, isLast: boolean) => void = () => undefined;

  onData(take: (chunk: ArrayBuffer, isLast: boolean) => void): void {
    this.#take = take;
  }

  bring(text: string, isLast = true): void {
    const bytes = new TextEncoder().encode(text);
    this.#take(bytes.buffer, isLast);
    bytes.fill(0);
  }
}

test('a body is its own, however large, while others come and go', () => {
  const incoming = new HeldBytes({ perPayer: 1_000_000, total: 1_000_000 });
  const texts = Array.from({ length: 300 }, (_, i) => `${i} `.repeat(i % 10 === 0 ? 1000 + i : i));
  const bodies: (Uint8Array | SluiceError)[] = [];
  for (const [i, text] of texts.entries()) {
    const response = new FakeResponse();
    const options = { bodyMaxBytes: 100_000, incoming, account: 'a', verdict: undefined };
    new RequestBody(response as unknown as HttpResponse, options, (body) => void bodies.push(body));
    const cut = i % 3 === 0 ? text.length / 2 : 0;
    if (cut > 0) response.bring(text.slice(0, cut), false);
    response.bring(text.slice(cut));
  }
  expect(bodies.map((body) => Buffer.from(body as Uint8Array).toString())).toEqual(texts);
});
