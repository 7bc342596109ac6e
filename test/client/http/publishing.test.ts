import { expect, it } from 'vitest';
import { jsonCodec } from '../../support/codecs.ts';
import { FakeRuntime, greeting, harness, settled } from '../support/fakes.ts';

/** A client that polls, and what it has sent to be published. `respond`: in place of the gateway, where it returns. */
function polling(respond: (data: unknown) => Response | undefined = () => undefined) {
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
    return respond(data) ?? Response.json('data' in body ? place : { results: body.map(() => place) });
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
