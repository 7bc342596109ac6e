import { describe, expect, it } from 'vitest';
import type { SluiceClient } from '../../../src/client/index.ts';
import { jsonCodec } from '../../support/codecs.ts';
import { FakeRuntime, greeting, harness, settled } from '../support/fakes.ts';

function unlessAborted(
  init: RequestInit | undefined,
  response: Response | Promise<Response>,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    init?.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
    Promise.resolve(response).then(resolve, reject);
  });
}

/** A client that polls, and what it has sent to be published. `respond`: in place of the gateway, where it returns. */
function polling(respond: (data: unknown) => Response | Promise<Response> | undefined = () => undefined) {
  const frames = [greeting, ...[1, 2].map(() => ({ kind: 'subscribed', results: [] }) as const)];
  const events = frames.map(
    (frame) =>
      JSON.parse(Buffer.from(jsonCodec.encodeServerFrame({ ...frame, id: 0 })).toString()) as unknown,
  );
  const runtime = new FakeRuntime();
  const sent: unknown[] = [];
  let polls = 0;
  runtime.fetch = async (url, init) => {
    if (!String(url).includes('/publish'))
      return polls++ === 0 ? Response.json({ events, cursor: 'c' }) : new Promise(() => {});
    const body = JSON.parse(String(init?.body)) as
      | { readonly data: unknown }
      | readonly { readonly data: unknown }[];
    const data = 'data' in body ? body.data : body.map((item) => item.data);
    sent.push(data);
    await settled();
    const place = { epoch: 'e', offset: sent.length };
    const response =
      respond(data) ?? Response.json('data' in body ? place : { results: body.map(() => place) });
    return unlessAborted(init, response);
  };
  const { client } = harness({ runtime, transports: ['poll'] });
  return { client, runtime, sent };
}

it('sends publications that have waited for the connection in order, more at once with each reply', async () => {
  const { client, sent } = polling();
  const published = Promise.all([1, 2, 3, 4, 5].map((data) => client.publish('a', 'update', data)));
  await client.connect();
  await published;
  await settled();
  expect(sent).toEqual([1, [2, 3], [4, 5]]);
});

it('sends the next publication although a proxy wanted the one before to wait for an hour', async () => {
  const { client, sent, runtime } = polling((data) =>
    data === 1 ? new Response('', { status: 503, headers: { 'retry-after': '3600' } }) : undefined,
  );
  await client.connect();
  const late = client.publish('a', 'update', 1).catch(({ code }: { readonly code: string }) => code);
  await settled();
  await runtime.advance(10_000);
  expect(await late).toBe('timeout');
  const next = client.publish('a', 'update', 2);
  await settled();
  expect(sent).toEqual([1, 2]);
  expect(await next).toMatchObject({ offset: 2 });
});

it('sends publications in smaller batches where the gateway takes no body of that size', async () => {
  const error = { code: 'frame_too_large', message: 'at most 2 here' };
  const { client, sent } = polling((data) =>
    Array.isArray(data) && data.length > 2 ? Response.json({ error }, { status: 413 }) : undefined,
  );
  await client.connect();
  const long = 'x'.repeat(10_000);
  await Promise.all([1, 2, 3, 4, 5].map((n) => client.publish('a', 'update', [n, long])));
  const numbers = sent.map((data) => (data as readonly unknown[]).flat().filter((each) => each !== long));
  expect(numbers).toEqual([[1], [2, 3, 4, 5], [2, 3], [4, 5]]);
});

describe('a request', () => {
  const hangs = () => new Promise<Response>(() => {});
  const cut = () =>
    Object.assign(new Response(), { json: () => Promise.reject(new TypeError('terminated')) });

  /** `outcomes`: of the first requests for commands. Those after them succeed. */
  async function commanding(...outcomes: readonly (() => Response | Promise<Response>)[]) {
    const { client, runtime } = polling();
    const { fetch } = runtime;
    const sent: { readonly path: string; readonly atMs: number }[] = [];
    runtime.fetch = (url, init) => {
      const path = new URL(String(url)).pathname;
      if (path.endsWith('/poll')) return fetch(url, init);
      const outcome = outcomes[sent.length];
      sent.push({ path, atMs: runtime.now() });
      return unlessAborted(init, outcome ? outcome() : respondTo(path));
    };
    await client.connect();
    const startMs = runtime.now();
    return { client, runtime, sentMs: () => sent.map(({ atMs }) => atMs - startMs) };
  }

  async function respondTo(path: string): Promise<Response> {
    return Response.json(path.endsWith('/history') ? { epoch: 'e', publications: [] } : place);
  }
  const place = { epoch: 'e', offset: 1, data: 1 };
  const publish = (client: SluiceClient) => client.publish('a', 'update', 1);
  const history = (client: SluiceClient) => client.history('a');

  it.each([
    ['publish', publish],
    ['history', history],
  ] as const)('of a %s that is cut is made again at once, and then every second', async (_, run) => {
    const { client, runtime, sentMs } = await commanding(cut, () => Promise.reject(new TypeError()), cut);
    const done = run(client);
    await settled();
    await runtime.advance(2_000);
    expect(await done).toMatchObject({ epoch: 'e' });
    expect(sentMs()).toEqual([0, 0, 1_000, 2_000]);
  });

  it.each([
    ['publish', publish],
    ['history', history],
  ] as const)('of a %s without a response is made again, once', async (_, run) => {
    const { client, runtime, sentMs } = await commanding(hangs);
    const done = run(client);
    await settled();
    await runtime.advance(2_500);
    expect(await done).toMatchObject({ epoch: 'e' });
    expect(sentMs()).toEqual([0, 2_500]);
    const late = await commanding(hangs, hangs);
    const failed = expect(run(late.client)).rejects.toMatchObject({ code: 'timeout' });
    await late.runtime.advance(10_000);
    await failed;
    expect(late.sentMs()).toEqual([0, 2_500]);
  });

  it('with many publications that takes too long is made again with half of them', async () => {
    const { client, sent, runtime } = polling((data) =>
      Array.isArray(data) && data.length > 2 ? hangs() : undefined,
    );
    await client.connect();
    const long = 'x'.repeat(10_000);
    const done = Promise.all([1, 2, 3, 4, 5].map((n) => client.publish('a', 'update', [n, long])));
    await settled();
    await runtime.advance(2_500);
    await done;
    const numbers = sent.map((data) => (data as readonly unknown[]).flat().filter((each) => each !== long));
    expect(numbers).toEqual([[1], [2, 3, 4, 5], [2, 3], [4, 5]]);
  });

  it('has larger batches again after some without a response', async () => {
    let isStuck = true;
    const { client, sent, runtime } = polling(() => (isStuck ? hangs() : undefined));
    await client.connect();
    for (let i = 0; i < 3; i++) {
      const late = expect(client.publish('a', 'update', i)).rejects.toMatchObject({ code: 'timeout' });
      await runtime.advance(10_000);
      await late;
    }
    isStuck = false;
    sent.length = 0;
    const text = 'x'.repeat(2_000);
    await Promise.all(Array.from({ length: 20 }, () => client.publish('a', 'update', text)));
    expect(sent.length).toBeLessThan(12);
  });

  it.each([cut, () => Response.json({ of: 'another server' })])(
    'of a call that gets no result is not made again, and the call fails at once',
    async (outcome) => {
      const { client, sentMs } = await commanding(outcome);
      await expect(client.call('any')).rejects.toMatchObject({ code: 'disconnected', retry: true });
      expect(sentMs()).toEqual([0]);
    },
  );

  it.each([
    ['publish', publish],
    ['history', history],
  ] as const)(
    'of a %s that waits to be made again leaves no timer after the client is closed',
    async (_, run) => {
      const { client, runtime, sentMs } = await commanding(cut, cut);
      const closed = expect(run(client)).rejects.toMatchObject({ retry: expect.any(Boolean) });
      await settled();
      await runtime.advance(0);
      client.close();
      await closed;
      expect([sentMs(), runtime.timers]).toEqual([[0, 0], 0]);
    },
  );

  it('of a call may take as long as a command', async () => {
    const { client, runtime, sentMs } = await commanding(hangs);
    const failed = expect(client.call('any')).rejects.toMatchObject({ code: 'timeout' });
    await runtime.advance(10_000);
    await failed;
    expect(sentMs()).toEqual([0]);
  });
});
