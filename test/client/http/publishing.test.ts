import { expect, it } from 'vitest';
import { jsonCodec } from '../../support/codecs.ts';
import { FakeRuntime, greeting, harness, settled } from '../support/fakes.ts';

it('sends publications that have waited for the connection one by one, each once', async () => {
  const runtime = new FakeRuntime();
  const sent: unknown[] = [];
  const frames = [greeting, ...[1, 2].map(() => ({ kind: 'subscribed', results: [] }) as const)];
  const events = frames.map((frame) =>
    JSON.parse(Buffer.from(jsonCodec.encodeServerFrame({ ...frame, id: 0 })).toString()),
  );
  let polls = 0;
  runtime.fetch = async (url, init) => {
    if (!String(url).endsWith('publish'))
      return polls++ === 0 ? Response.json({ events, cursor: 'c' }) : new Promise(() => {});
    sent.push((JSON.parse(String(init?.body)) as { readonly data: unknown }).data);
    await settled();
    return Response.json({ epoch: 'e', offset: sent.length });
  };
  const { client } = harness({ runtime, transports: ['poll'] });
  const published = Promise.all([1, 2, 3, 4, 5].map((data) => client.publish('a', 'update', data)));
  await client.connect();
  await published;
  await settled();
  expect(sent).toEqual([1, 2, 3, 4, 5]);
});
