import { beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { SluiceClient } from '../../src/client/index.ts';
import type { TestGateway } from '../support/gateway.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { ofTest, opened } from '../support/opened.ts';
import { RawSocket, upgradeRequest } from '../support/raw-socket.ts';
import { gatewayOfTest } from '../support/sdk.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const byKey = { 'x-api-key': apiKey };
const canonical = 'user:alice@example.org';
/** All of them name the same topic. */
const spellings = [
  canonical,
  'user:alice%40example.org',
  'user:%61lice%40example%2eorg',
  'user:alice@example%2Eorg',
];

let gateway: TestGateway;

beforeEach(async () => {
  gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
});
function token(user: string, ...topics: { pattern: string; allow: string[] }[]): Promise<string> {
  return signToken({ sub: user, topics });
}

function connect(credential: string, path = ''): Promise<JsonClient> {
  return opened(JsonClient.open(`${gateway.wsUrl}${path}?token=${credential}`));
}

const results = (reply: Frame) => reply['results'] as Frame[];
const publish = (topic: string, data: unknown) => gateway.publish({ topic, data }, byKey);

describe('a user whose name is an address', () => {
  it('gets what is published to the topic in any spelling, by any door', async () => {
    const alice = await connect(await token('alice@example.org'));
    const own = await alice.until(({ type }) => type === 'subscribed');
    expect(results(own).map(({ topic }) => topic)).toEqual(['$all', canonical]);
    for (const [index, topic] of spellings.entries()) await publish(topic, index);
    const items = spellings.map((topic) => ({ topic, data: 'batch' }));
    await gateway.publish(items, byKey);
    const backend = await connect(apiKey);
    for (const topic of spellings)
      expect((await backend.call({ type: 'publish', topic, event: 'x', data: 'ws' })).type).toBe('published');
    const heard = await alice.count(canonical, 3 * spellings.length);
    expect(heard.map(({ data }) => data)).toEqual([
      ...spellings.keys(),
      ...spellings.map(() => 'batch'),
      ...spellings.map(() => 'ws'),
    ]);
  });

  it('may subscribe, read and leave by any spelling', async () => {
    await publish(canonical, 'first');
    const credential = await token('alice@example.org', { pattern: 'user:alice%40*', allow: ['presence'] });
    for (const topic of spellings) {
      const alice = await connect(credential);
      expect(results(await alice.call({ type: 'subscribe', topic }))).toMatchObject([
        { topic: canonical, offset: 1 },
      ]);
      expect(await alice.call({ type: 'history', topic })).toMatchObject({ topic: canonical, upto: 1 });
      expect(await alice.call({ type: 'presence', topic })).toMatchObject({ topic: canonical, count: 1 });
      expect((await alice.call({ type: 'unsubscribe', topic })).type).toBe('unsubscribed');
      const path = encodeURIComponent(topic);
      const headers = { authorization: `Bearer ${credential}` };
      for (const part of ['', '/history', '/latest']) {
        const answer = await fetch(`${gateway.url}/api/topics/${path}${part}`, { headers });
        expect(await answer.json()).toMatchObject({ topic: canonical });
      }
      const listed = await fetch(`${gateway.url}/api/topics?prefix=${path}`, { headers: byKey });
      expect(await listed.json()).toMatchObject({ topics: [{ topic: canonical }] });
      const byPath = await connect(credential, `/${path}`);
      const opening = await byPath.until(
        (frame) => frame.type === 'subscribed' && results(frame).length === 1,
      );
      expect(results(opening)).toMatchObject([{ topic: canonical }]);
      const connections = await fetch(`${gateway.url}/api/connections?topic=${path}`, { headers: byKey });
      expect(((await connections.json()) as { connections: unknown[] }).connections).not.toEqual([]);
      await byPath.close();
      await alice.close();
    }
  });

  it('hears it in the SDK once, in any spelling', async () => {
    for (const [index, topic] of spellings.entries()) {
      const client = ofTest(
        new SluiceClient(gateway.wsUrl, { WebSocket, token: await token('alice@example.org') }),
      );
      const heard: unknown[] = [];
      const all = new Promise((resolve) => {
        client.subscribe(topic, {}, ({ data }) => {
          // What the client before has not acknowledged yet comes again to this one.
          if (String(data).endsWith(`${index}`) && heard.push(data) === 2) resolve(undefined);
        });
      });
      const subscribed = client.connect();
      await subscribed;
      await client.history(topic);
      await publish(canonical, `a${index}`);
      await publish(spellings[1] as string, `b${index}`);
      await all;
      expect([topic, heard]).toEqual([topic, [`a${index}`, `b${index}`]]);
    }
  });

  it('is heard by no other user, in any spelling', async () => {
    const mallory = await connect(
      await token(
        'mallory',
        { pattern: '*', allow: ['subscribe'] },
        { pattern: 'user:*', allow: ['subscribe'] },
      ),
    );
    for (const topic of [...spellings, 'user:alice%40*', 'user:%61*', 'user:alice%4*', 'user:*']) {
      expect([topic, results(await mallory.call({ type: 'subscribe', topic }))]).toMatchObject([
        topic,
        [{ error: { code: 'forbidden' } }],
      ]);
    }
  });

  it('is published to by a grant in any spelling', async () => {
    for (const pattern of ['user:alice%40example.org', 'user:alice%40*', 'user:alice@*', 'user:%61lice*']) {
      const backend = await connect(await token('backend', { pattern, allow: ['publish'] }));
      for (const topic of spellings)
        expect((await backend.call({ type: 'publish', topic, event: 'x' })).type).toBe('published');
      expect(
        await backend.call({ type: 'publish', topic: 'user:bob@example.org', event: 'x' }),
      ).toMatchObject({
        code: 'forbidden',
      });
    }
  });
});

describe('users with names that need escapes', () => {
  it.each([
    ['a%40b', 'user:a%2540b'],
    ['50%', 'user:50%25'],
    ['jörg müller', 'user:j%C3%B6rg%20m%C3%BCller'],
    ['CORP/joe', 'user:CORP/joe'],
    ['auth0|5f7', 'user:auth0%7C5f7'],
    ["o'brien (x)", 'user:o%27brien%20%28x%29'],
  ])('%s has the topic %s', async (user, topic) => {
    const client = await connect(await token(user));
    const own = await client.until(({ type }) => type === 'subscribed');
    expect(results(own)[1]).toMatchObject({ topic });
    await publish(`user:${encodeURIComponent(user)}`, 'encoded');
    expect(await client.count(topic, 1)).toMatchObject([{ data: 'encoded' }]);
  });

  it('a user can’t be had by another one’s escapes', async () => {
    const literal = await connect(await token('a%40b'));
    await literal.until(({ type }) => type === 'subscribed');
    expect(results(await literal.call({ type: 'subscribe', topic: 'user:a%40b' }))).toMatchObject([
      { error: { code: 'forbidden' } },
    ]);
  });

  it.each([
    ['', 'must not be empty'],
    ['x'.repeat(196), 'at most 200 characters'],
    ['ü'.repeat(33), 'at most 200 characters'],
    ['..', '\\".\\" or \\"..\\"'],
    ['a/../b', '\\".\\" or \\"..\\"'],
  ])('a token for "%s" is refused by every door', async (user, why) => {
    const bad = await token(user);
    const headers = { authorization: `Bearer ${bad}` };
    const answer = await fetch(`${gateway.url}/api/topics/x/history`, { headers });
    expect([answer.status, await answer.text()]).toEqual([401, expect.stringContaining(why)]);
    const socket = await opened(RawSocket.open(gateway.port));
    await socket.send(upgradeRequest({ headers: [`Authorization: Bearer ${bad}`] }));
    expect((await socket.answer()).status).toBe(401);
    const late = await opened(JsonClient.open(gateway.wsUrl));
    expect(await late.call({ type: 'connect', token: bad })).toMatchObject({ code: 'unauthorized' });
  });

  it.each(['x'.repeat(195), 'ü'.repeat(32)])('a token for %s is taken', async (user) => {
    const client = await connect(await token(user));
    expect(client.frames[0]).toMatchObject({ user });
  });
});
