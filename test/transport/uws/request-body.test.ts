import type { HttpResponse } from 'uWebSockets.js';
import { describe, expect, test } from 'vitest';
import type { SluiceError } from '../../../src/errors.ts';
import { createMetrics } from '../../../src/metrics.ts';
import { HeldBytes } from '../../../src/sessions/limits/charges.ts';
import { type BodyOptions, RequestBody } from '../../../src/transport/uws/request-body.ts';
import { RequestTurn } from '../../../src/transport/uws/request-turn.ts';
import { FakeTurns } from '../../fanout/fixtures.ts';

/** As the library's: what it brings is gone when its handler returns. */
class FakeResponse {
  isClosed = false;
  #take: (chunk: ArrayBuffer, isLast: boolean) => void = () => undefined;

  onData(take: (chunk: ArrayBuffer, isLast: boolean) => void): void {
    this.#take = take;
  }

  close(): void {
    this.isClosed = true;
  }

  bring(text: string, isLast = true): void {
    const bytes = new TextEncoder().encode(text);
    this.#take(bytes.buffer, isLast);
    bytes.fill(0);
  }
}

const terms = { bodyMaxBytes: 100_000, account: 'a' };

test('a body is its own, however large, while others come and go', () => {
  const incoming = new HeldBytes({ perPayer: 1_000_000, total: 1_000_000 });
  const metrics = createMetrics({ processMetrics: false });
  const texts = Array.from({ length: 300 }, (_, i) => `${i} `.repeat(i % 10 === 0 ? 1000 + i : i));
  const bodies: (Uint8Array | SluiceError)[] = [];
  for (const [i, text] of texts.entries()) {
    const response = new FakeResponse();
    const options = { incoming, turn: new RequestTurn(new FakeTurns()), metrics };
    new RequestBody(response as unknown as HttpResponse, options, terms, (body) => void bodies.push(body));
    const cut = i % 3 === 0 ? text.length / 2 : 0;
    if (cut > 0) response.bring(text.slice(0, cut), false);
    response.bring(text.slice(cut));
  }
  expect(bodies.map((body) => Buffer.from(body as Uint8Array).toString())).toEqual(texts);
});

describe('a body in many chunks', () => {
  function receiving(size: number, count: number, turnMs: number) {
    const turns = new FakeTurns();
    const turn = new RequestTurn(turns);
    for (let i = 0; i < 200; i++) turn.count();
    turns.elapse(turnMs);
    const response = new FakeResponse();
    const seen = { bytes: 0, tooSmall: 0 };
    const incoming = new HeldBytes({ perPayer: 1_000_000, total: 1_000_000 });
    const metrics = { connectionsRejectedTotal: { inc: () => void seen.tooSmall++ } };
    const options = { incoming, turn, metrics: metrics as unknown as BodyOptions['metrics'] };
    const larger = { ...terms, bodyMaxBytes: 1_000_000 };
    new RequestBody(response as unknown as HttpResponse, options, larger, (body) => {
      seen.bytes = (body as Uint8Array).length;
    });
    for (let i = 1; i <= count && !response.isClosed; i++) response.bring('x'.repeat(size), i === count);
    return { ...seen, isClosed: response.isClosed };
  }

  test.each([
    [1, 1000, 20],
    [1, 1007, 20],
    [1, 50, 21],
    [128, 5000, 20],
    [128, 5000, 21],
  ])('is taken while they are few, or large on average: %i bytes %i times in %i ms', (...chunks) => {
    const [size, count] = chunks;
    expect(receiving(...chunks)).toEqual({ bytes: size * count, tooSmall: 0, isClosed: false });
  });

  test.each([
    [1, 1009, 20],
    [1, 51, 21],
    [100, 5000, 20],
  ])('ends its connection if there are more: %i bytes %i times in %i ms', (...chunks) => {
    expect(receiving(...chunks)).toEqual({ bytes: 0, tooSmall: 1, isClosed: true });
  });
});

describe('the bytes of a large body', () => {
  const large = 'x'.repeat(20_000);

  function receive(text: string, finished?: Promise<void>, isLast = true) {
    const incoming = new HeldBytes({ perPayer: 1_000_000, total: 1_000_000 });
    const metrics = createMetrics({ processMetrics: false });
    const options = { incoming, turn: new RequestTurn(new FakeTurns()), metrics };
    const response = new FakeResponse();
    const body = new RequestBody(response as unknown as HttpResponse, options, terms, () => finished);
    response.bring(text, isLast);
    return { body, incoming };
  }

  test('are charged until the request is answered; a small body costs nothing', async () => {
    let answer: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const { incoming } = receive(large, finished);
    expect(incoming.total).toBe(20_000);
    answer();
    await expect.poll(() => incoming.total).toBe(0);
    expect(receive('x'.repeat(16 * 1024), finished).incoming.total).toBe(0);
  });

  test('are given back when the client goes, once', () => {
    const { body, incoming } = receive(large, undefined, false);
    expect(incoming.total).toBe(20_000);
    expect([body.drop(), incoming.total]).toEqual([true, 0]);
    expect([body.drop(), incoming.total]).toEqual([false, 0]);
  });
});
