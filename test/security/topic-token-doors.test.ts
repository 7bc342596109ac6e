import { describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { JsonClient } from '../support/json-client.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { gatewayOfFile } from '../support/sdk.ts';
import { SseClient } from '../support/sse-client.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

/** The filter of every token here. What does not match it is secret. */
const filter = { op: 'eq', tag: 'team', value: 'a' } as const;
const everything = { op: 'or', filters: [filter, { op: 'not', filters: [filter] }] } as const;
const ofOthers = { op: 'eq', tag: 'team', value: 'b' } as const;

const gateway = gatewayOfFile({
  apiKeys: [apiKey],
  tokenSecret,
  compat: ['d'],
  connectionsMaxPerUser: 1000,
});

async function publish(topic: string, team: 'a' | 'b', data: string, key: string): Promise<void> {
  await gateway.publish({ topic, type: 'e', key, tags: { team }, data }, { 'x-api-key': apiKey });
}

/** Of both teams, under keys of their own and under one that they share. `allowed-N-2` comes last. */
async function publishAll(topic: string, round: number): Promise<void> {
  await publish(topic, 'b', `secret-${round}-1`, 'k-b');
  await publish(topic, 'a', `allowed-${round}-1`, 'k-a');
  await publish(topic, 'a', `allowed-${round}-shared`, 'k');
  await publish(topic, 'b', `secret-${round}-shared`, 'k');
  await publish(topic, 'a', `allowed-${round}-2`, 'k-a');
}

const grant = (topic: string) => signToken({ topic, filter });
const login = async () => signToken({ sub: 'mallory' });
const wsUrl = async (path = '/ws') => `ws://127.0.0.1:${gateway.port}${path}?token=${await login()}`;
const last = (round: number) => `allowed-${round}-2`;

/** Subscriptions by which a client may try to get more than its token grants. */
const tries: readonly [string, Record<string, unknown>][] = [
  ['without a filter', {}],
  ['with a filter for everything', { filter: everything }],
  ['with a filter for others', { filter: ofOthers }],
  ['from the beginning', { last: 100 }],
  ['with an interval and conflation', { intervalMs: 50, conflate: true }],
];

/** Waits for the last allowed publication of the round, if the client may get it, and then for a later reply. */
interface Door {
  readonly name: string;
  readonly target: (topic: string) => string;
  /** Returns all that the client was sent, as text, while `publishMore` has run. */
  open(
    subscription: Record<string, unknown>,
    publishMore: () => Promise<void>,
    isEmpty: boolean,
  ): Promise<string>;
}

const doors: readonly Door[] = [
  ...(['topic', 'pattern'] as const).map(
    (kind): Door => ({
      name: `a WebSocket in JSON, by ${kind}`,
      target: (topic) => (kind === 'topic' ? topic : `${topic}*`),
      async open(subscription, publishMore, isEmpty) {
        const client = await JsonClient.open(await wsUrl());
        await client.call({ type: 'subscribe', ...subscription });
        await publishMore();
        if (!isEmpty) await client.until((frame) => JSON.stringify(frame).includes(last(2)));
        await client.call({ type: 'history', topic: subscription['topic'] });
        await client.close();
        return client.texts.join('\n');
      },
    }),
  ),
  {
    name: 'a WebSocket in protobuf',
    target: (topic) => topic,
    async open({ topic, ...rest }, publishMore, isEmpty) {
      const client = await ProtobufClient.open(await wsUrl());
      const text = () =>
        client.frames
          .flatMap((frame) => ('publications' in frame ? (frame.publications ?? []) : []))
          .map((publication) =>
            Buffer.from((publication as { payload: { bytes: Uint8Array } }).payload.bytes).toString(),
          )
          .join('\n');
      await client.call('subscribe', { subscriptions: [{ topic: topic as string, ...rest }] } as never);
      await publishMore();
      if (!isEmpty) await expect.poll(text).toContain(last(2));
      await client.call('ping', {} as never);
      await client.close();
      return text();
    },
  },
  {
    name: 'a WebSocket that comes back from where it was',
    target: (topic) => topic,
    async open(subscription, publishMore, isEmpty) {
      const first = await JsonClient.open(await wsUrl());
      const { last: _, ...rest } = subscription;
      const reply = await first.call({ type: 'subscribe', ...rest });
      const [{ epoch, offset }] = reply['results'] as [{ epoch: string; offset: number }];
      first.socket.terminate();
      await publishMore();
      const client = await JsonClient.open(await wsUrl());
      await client.call({ type: 'subscribe', ...rest, since: { epoch, offset } });
      if (!isEmpty) await client.until((frame) => JSON.stringify(frame).includes(last(2)));
      await client.call({ type: 'ping' });
      await client.close();
      return client.texts.join('\n');
    },
  },
  {
    name: 'Server-Sent Events',
    target: (topic) => topic,
    async open(subscription, publishMore, isEmpty) {
      const headers = { authorization: `Bearer ${await login()}` };
      const body = { subscriptions: [subscription] };
      const client = await SseClient.open({ port: gateway.port, path: '/sse', headers, body });
      await client.until(() => client.of('subscribed').length > 0);
      await publishMore();
      const text = () => client.events.map(({ data }) => data).join('\n');
      if (!isEmpty) await client.until(() => text().includes(last(2)));
      client.close();
      return text();
    },
  },
  {
    name: 'polls, with the cursor of one who may read all',
    target: (topic) => topic,
    async open(subscription, publishMore) {
      const ask = async (cursor: string, headers: Record<string, string>) =>
        gateway.post(
          '/poll',
          JSON.stringify({ subscriptions: [subscription], cursor, timeoutSeconds: 0 }),
          headers,
        );
      const headers = { authorization: `Bearer ${await login()}` };
      const { token: _, ...free } = subscription;
      const all = await gateway.post('/poll', JSON.stringify({ subscriptions: [free], timeoutSeconds: 0 }), {
        'x-api-key': apiKey,
      });
      await all.text();
      await publishMore();
      const answers = [await ask('', headers), await ask(all.headers.get('sluice-cursor') ?? '', headers)];
      return (await Promise.all(answers.map((answer) => answer.text()))).join('\n');
    },
  },
];

describe.each(doors)(
  'a topic token whose filter a client tries to widen by $name',
  ({ name, target, open }) => {
    const own = doors.findIndex((door) => door.name === name);
    test.each(tries)('%s', async (how, wanted) => {
      for (const namespace of ['stream', 'server']) {
        const topic = `${namespace}:d${own}-${tries.findIndex(([each]) => each === how)}`;
        await publishAll(topic, 1);
        const isEmpty = wanted['filter'] === ofOthers;
        const subscription = { topic: target(topic), token: await grant(target(topic)), ...wanted };
        const text = await open(subscription, () => publishAll(topic, 2), isEmpty);
        expect(text).not.toContain('secret');
        if (!isEmpty) expect(text).toContain('allowed');
      }
    });
  },
);

describe('a topic token with a filter', () => {
  test('stays narrow when the keys of a view change', async () => {
    const topic = 'server:keyed';
    await publishAll(topic, 1);
    const client = await JsonClient.open(await wsUrl());
    const token = await grant(topic);
    const reply = await client.call({ type: 'subscribe', topic, token, keys: ['k-a'] });
    const [{ view }] = reply['results'] as [{ view: number }];
    const changed = await client.call({ type: 'setKeys', view, keys: ['k-a', 'k-b', 'k'] });
    expect(changed.type).not.toBe('error');
    await publishAll(topic, 2);
    await client.until((frame) => JSON.stringify(frame).includes(last(2)));
    await client.close();
    expect(client.texts.join('\n')).not.toContain('secret');
  });

  test('is nothing to clients of older systems, who can’t name it', async () => {
    await publishAll('room:old', 1);
    const token = await grant('room:old');
    const socket = new WebSocket(await wsUrl('/api/v1/ws/mallory'));
    const texts: string[] = [];
    socket.on('message', (text) => texts.push(String(text)));
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(JSON.stringify({ type: 'room_subscribe', room: 'old', token }));
    await expect.poll(() => texts.some((text) => text.includes('"error"'))).toBe(true);
    await publishAll('room:old', 2);
    socket.send(JSON.stringify({ type: 'ping' }));
    await expect.poll(() => texts.some((text) => text.includes('"pong"'))).toBe(true);
    socket.close();
    expect(texts.join('\n')).not.toMatch(/secret-|allowed-/);
  });

  test('opens no history, state or list', async () => {
    await publishAll('stream:read', 1);
    const headers = { authorization: `Bearer ${await grant('stream:read')}` };
    for (const path of [
      '/api/topics/stream:read/history',
      '/api/topics/stream:read/latest',
      '/api/topics?prefix=stream:',
    ]) {
      const response = await fetch(gateway.url + path, { headers });
      expect([response.status, await response.text()]).toEqual([401, expect.not.stringContaining('secret')]);
    }
  });
});
