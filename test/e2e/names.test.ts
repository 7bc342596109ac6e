import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { SluiceClient, Transport } from '../../src/client/index.ts';
import { JsonClient as SmallClient } from '../../src/client/json/index.ts';
import { Publisher } from '../../src/publisher/index.ts';
import { JsonClient } from '../support/json-client.ts';
import { ofTest, opened } from '../support/opened.ts';
import { clientOfTest, gatewayOfFile, state } from '../support/sdk.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

/** Members of every object, and one that an assignment to an object loses. */
const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length'];

const gateway = gatewayOfFile({
  apiKeys: [apiKey],
  tokenSecret,
  handshakesPerSecondPerIp: 10_000,
  httpConnectionsPerSecondPerIp: 10_000,
});
const authorization = `Bearer ${apiKey}`;

interface Publishing {
  readonly topic: string;
  readonly type: string;
  readonly key: string;
  readonly messageId: string;
  readonly tags: Readonly<Record<string, string>>;
}

type Door = (publishing: Publishing) => Promise<unknown>;

async function post(path: string, body: unknown): Promise<void> {
  const response = await gateway.post(path, JSON.stringify(body), { authorization });
  expect([response.status, await response.text()]).toEqual([200, expect.not.stringContaining('"error"')]);
}

async function sdk(transport: Transport): Promise<SluiceClient> {
  const client = clientOfTest(gateway.wsUrl, { token: apiKey, transports: [transport] });
  await client.connect();
  return client;
}

const bySdk =
  (transport: Transport): Door =>
  async ({ topic, type, ...options }) =>
    (await sdk(transport)).publish(topic, type, 1, options);

const doors: Readonly<Record<string, Door>> = {
  'JSON over WebSocket': async ({ type: event, ...fields }) => {
    const client = await opened(JsonClient.open(`${gateway.wsUrl}?token=${apiKey}`));
    const reply = await client.call({ ...fields, event, type: 'publish', data: 1 });
    expect(reply.type).toBe('published');
  },
  'the SDK by websocket': bySdk('websocket'),
  'the SDK by sse': bySdk('sse'),
  'the SDK by poll': bySdk('poll'),
  'the small SDK': async ({ topic, type, ...options }) => {
    const client = ofTest(new SmallClient(gateway.wsUrl, { WebSocket, token: apiKey }));
    await client.connect();
    await client.publish(topic, type, 1, options);
  },
  'the publisher': async ({ topic, type, ...options }) => {
    const publisher = ofTest(new Publisher({ url: gateway.url, credential: apiKey }));
    await publisher.publish(topic, type, 1, options);
  },
  HTTP: (publishing) => post('/api/publish', { ...publishing, data: 1 }),
  'a batch': (publishing) => post('/api/publish/batch', [{ ...publishing, data: 1 }]),
};

describe.each(names)('%s is a name like others', (name) => {
  const tags = JSON.parse(`{"${name}":"on","other":"1"}`) as Readonly<Record<string, string>>;

  it.each(Object.entries(doors))(
    'of topic, namespace, type, key, message id and tag, by %s',
    async (door, publish) => {
      const topic = `${name}:${name}:${door.replaceAll(' ', '-')}`;
      const filter = { op: 'eq', tag: name, value: 'on' } as const;
      const heard = await Promise.all(
        (['websocket', 'sse', 'poll'] as const).map(async (transport) => {
          const subscription = (await sdk(transport)).subscribe(topic, { filter });
          const first = new Promise((resolve) => subscription.on('publication', resolve));
          await state(subscription, 'live');
          return () => first;
        }),
      );
      const publishing = { topic, type: name, key: name, messageId: name, tags };
      await publish(publishing);
      await post('/api/publish', { ...publishing, data: 1 });
      for (const first of heard) {
        const {
          offset,
          type,
          key,
          tags: received,
        } = (await first()) as Publishing & { readonly offset: number };
        expect([offset, type, key, Object.entries(received)]).toEqual([1, name, name, Object.entries(tags)]);
      }
      const { publications } = await (await sdk('websocket')).history(topic);
      expect(publications.map((each) => Object.entries(each.tags))).toEqual([Object.entries(tags)]);
    },
  );

  it('of a user, and of a job', async () => {
    const token = await signToken({ sub: name, topics: [] });
    const client = await opened(JsonClient.open(`${gateway.wsUrl}?token=${token}`));
    const given = await client.until(({ type }) => type === 'subscribed');
    expect(given['results']).toMatchObject([{ topic: '$all' }, { topic: `user:${name}` }]);
    await post(`/api/users/${name}/notify`, { data: 1 });
    expect(await client.until(({ topic, offset }) => topic === `user:${name}` && offset === 1)).toMatchObject(
      { data: 1 },
    );
    const job = `/api/jobs/${name}`;
    const report = {
      method: 'PUT',
      body: '{"progress":5}',
      headers: { authorization, 'content-type': 'application/json' },
    };
    expect((await fetch(gateway.url + job, report)).status).toBe(200);
    const status = await fetch(`${gateway.url}${job}/status`, { headers: { authorization } });
    expect(await status.json()).toMatchObject({ job_id: name, progress: 5 });
  });
});
