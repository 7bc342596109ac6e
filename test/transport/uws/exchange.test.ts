import type { HttpResponse } from 'uWebSockets.js';
import { describe, expect, it } from 'vitest';
import type { ApiResponse } from '../../../src/api/http.ts';
import { HeldBytes } from '../../../src/sessions/limits/charges.ts';
import { RequestIds } from '../../../src/transport/request-ids.ts';
import { Exchange } from '../../../src/transport/uws/exchange.ts';
import { RequestTurn } from '../../../src/transport/uws/request-turn.ts';
import { FakeTurns } from '../../fanout/fixtures.ts';

/** As the library's: its socket takes `room` bytes, and once its client is gone every call throws. */
class FakeResponse {
  room = 1000;
  aborted = false;
  isClosed = false;
  written = 0;
  /** What was written in one call each. */
  readonly lines: string[] = [];
  #abort: () => void = () => undefined;

  onAborted(run: () => void): void {
    this.#abort = run;
  }

  abort(): void {
    this.aborted = true;
    this.#abort();
  }

  cork(run: () => void): void {
    this.#touch();
    run();
  }

  writeStatus(): void {
    this.#touch();
  }

  writeHeader(name: string | ArrayBuffer, value: string): void {
    this.#touch();
    this.lines.push(`${typeof name === 'string' ? name : Buffer.from(name).toString()}: ${value}`);
  }

  tryEnd(body: string | Uint8Array): [ok: boolean, done: boolean] {
    this.#touch();
    const bytes = Buffer.byteLength(body);
    this.written += Math.min(bytes, this.room);
    return [bytes <= this.room, bytes <= this.room];
  }

  end(body: string | Uint8Array, closesConnection: boolean): void {
    this.#touch();
    this.written += Buffer.byteLength(body);
    this.isClosed = closesConnection;
  }

  endWithoutBody(): void {
    this.#touch();
  }

  onWritable(): void {
    this.#touch();
  }

  close(): void {
    this.#touch();
    this.isClosed = true;
  }

  #touch(): void {
    if (this.aborted) throw new Error('the response was touched after its client had gone');
  }
}

const requestIds = new RequestIds({ hasProxies: () => false, isProxy: () => false });

function exchange(areEnding = false) {
  const response = new FakeResponse();
  const unread = new HeldBytes({ perPayer: 1_000_000, total: 1_000_000 });
  const turns = new FakeTurns();
  const turn = new RequestTurn(turns);
  const connections = { areEnding };
  const options = { unread, monotonicMs: () => 0, writeTimeoutMs: 30_000, requestIds, turn, connections };
  const made = new Exchange(response as unknown as HttpResponse, options, 'id');
  return { response, unread, turns, turn, exchange: made };
}

const answer = (length: number): ApiResponse => ({ status: 200, headers: {}, body: 'x'.repeat(length) });

describe('an exchange whose client has gone', () => {
  it('is over: nothing of its response is touched any more', () => {
    const { response, unread, exchange: gone } = exchange();
    expect(gone.isOver).toBe(false);
    response.abort();
    expect(gone.isOver).toBe(true);
    gone.respond(answer(100_000), 'a');
    gone.close();
    expect([response.written, response.isClosed, unread.total]).toEqual([0, false, 0]);
  });

  it('tells that, once, also where it was answered in part', () => {
    const { response, exchange: gone } = exchange();
    let told = 0;
    gone.onAborted(() => told++);
    gone.respond(answer(100_000), 'a');
    expect(told).toBe(0);
    response.abort();
    expect(told).toBe(1);
  });

  it('tells that to what is begun for its client only later', () => {
    const { response, exchange: gone } = exchange();
    let told = 0;
    response.abort();
    gone.onGone(() => told++);
    expect(told).toBe(1);
  });

  it('gives back what was charged for the part that it had not read', () => {
    const { response, unread, exchange: gone } = exchange();
    gone.respond(answer(100_000), 'a');
    expect(unread.total).toBe(100_000);
    response.abort();
    expect(unread.total).toBe(0);
  });
});

describe('an exchange', () => {
  it('is answered once, and holds nothing of what its socket took', () => {
    const { response, unread, exchange: open } = exchange();
    open.respond(answer(10), 'a');
    open.respond(answer(10), 'a');
    open.close();
    expect([open.isOver, response.written, response.isClosed, unread.total]).toEqual([true, 10, false, 0]);
  });
});

describe('an exchange in a turn that is long already', () => {
  const long = () => {
    const all = exchange();
    for (let i = 0; i < 300; i++) all.turn.count();
    all.turns.elapse(21);
    return all;
  };

  it('is answered in the next turn', () => {
    const { response, turns, exchange: late } = long();
    let answered = 0;
    late.respond(answer(10), 'a', () => answered++);
    expect([late.isOver, response.written, answered]).toEqual([true, 0, 0]);
    turns.turn();
    expect([response.written, answered]).toEqual([10, 1]);
  });

  it('touches nothing where its client has left meanwhile, and is over', () => {
    const { response, turns, unread, exchange: late } = long();
    let answered = 0;
    late.respond(answer(100_000), 'a', () => answered++);
    response.abort();
    turns.turn();
    expect([response.written, unread.total, answered]).toEqual([0, 0, 1]);
  });
});

describe('an exchange while connections are scarce', () => {
  it.each<[Partial<ApiResponse>, boolean, number]>([
    [{ body: 'x'.repeat(16 * 1024) }, true, 16 * 1024],
    [{ body: 'x'.repeat(16 * 1024 + 1) }, false, 1000],
    [{ body: 'x'.repeat(100_000), omitBody: true }, true, 0],
    [{ status: 204 }, true, 0],
  ])('ends its connection with the answer where that is small: %#', (changed, isClosed, written) => {
    const { response, exchange: open } = exchange(true);
    open.respond({ ...answer(0), ...changed }, 'a');
    expect([response.isClosed, response.written]).toEqual([isClosed, written]);
  });
});

describe('headers of a response', () => {
  const own = { 'content-type': 'text/plain', 'cache-control': 'no-store' };
  const lines = ['content-type: text/plain', 'cache-control: no-store'];

  it.each([
    ['line by line', own, ['keep-alive: timeout=7', 'x-request-id: id', ...lines]],
    [
      'at once where many responses share them',
      Object.freeze({ ...own }),
      [['keep-alive: timeout=7', ...lines, 'x-request-id: id'].join('\r\n')],
    ],
  ])('are written %s', (_, headers, written) => {
    for (let i = 0; i < 2; i++) {
      const { response, exchange: made } = exchange();
      made.respond({ status: 200, headers, body: '' }, 'a');
      expect(response.lines).toEqual(written);
    }
  });
});
