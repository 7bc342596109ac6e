import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { RawSocket, upgradeRequest } from '../support/raw-socket.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const connectionsMax = 24;
const connectionsMaxPerIp = 5;
const connectionsMaxPerUser = 3;
const subscriptionsPerSession = 4;
const viewsPerTopic = 8;
const messageIds = 16;
const payloadMaxBytes = 4096;
const topicsOfUser = 3;
const newTopics = 4;

const byKey = { 'x-api-key': apiKey };
const claims = { topics: [{ pattern: '*', allow: ['subscribe', 'publish'] }] };

let gateway: TestGateway;
let addresses = 0;

beforeAll(async () => {
  gateway = await startGateway({
    tokenSecret,
    apiKeys: [apiKey],
    handshakesPerSecondPerIp: 1000,
    payloadMaxBytes,
    connectionsMax,
    connectionsMaxPerIp,
    connectionsMaxPerUser,
    subscriptionsPerSession,
    viewsPerTopic,
    messageIdsMaxBytesPerClient: messageIds * 64,
    topicsMax: 1 + topicsOfUser + newTopics,
    topicsMaxPerClient: topicsOfUser,
  });
  expect(await publish({ topic: 'known', data: 0 })).toBeUndefined();
});
// The gateway has heard of the end of the connections of other tests.
beforeEach(() => expect.poll(() => gateway.metric('sluice_connections{transport="websocket"}')).toBe(0));
afterAll(() => gateway.close());

const newAddress = () => `127.0.1.${++addresses}`;

async function enter(user: string, localAddress = newAddress()): Promise<JsonClient> {
  const token = await signToken({ sub: user, ...claims });
  const client = await opened(JsonClient.open(`${gateway.wsUrl}?token=${token}`, [], { localAddress }));
  return client;
}

/** Undefined: it opens; else the code with which it is refused before that. */
async function upgrade(user: string, localAddress = newAddress()): Promise<string | undefined> {
  const socket = await opened(RawSocket.open(gateway.port, localAddress));
  await socket.send(upgradeRequest({ path: `/ws?token=${await signToken({ sub: user, ...claims })}` }));
  const { status, body } = await socket.answer();
  return status === 101 ? undefined : codeOf(body);
}

const codeOf = (body: string) => (JSON.parse(body) as { error?: { code: string } }).error?.code;

async function ask(path: string, body?: string): Promise<string | undefined> {
  const answer = await (body === undefined
    ? fetch(gateway.url + path, { headers: byKey })
    : gateway.post(path, body, byKey));
  const text = await answer.text();
  return answer.ok ? undefined : codeOf(text);
}

const publish = (fields: object) => ask('/api/publish', JSON.stringify({ type: 'x', ...fields }));

async function subscribe(client: JsonClient, subscription: object): Promise<string | undefined> {
  const reply = await client.call({ type: 'subscribe', subscriptions: [subscription] });
  return (reply['results'] as { error?: { code: string } }[])[0]?.error?.code;
}

const errorOf = ({ type, code }: Frame) => (type === 'error' ? String(code) : undefined);
const filter = (value: string) => ({ op: 'eq', tag: 'n', value });

interface Case {
  readonly max: number;
  readonly code: string;
  /** The series that counts what exceeds it. */
  readonly counted: string;
  /** Returns what takes one more, or one of this size, and resolves with the code of its refusal. */
  readonly begin: () => Awaitable<(n: number) => Promise<string | undefined>>;
  /** Each has a size of its own; else they add up. */
  readonly isSize?: true;
}
type Awaitable<T> = T | Promise<T>;

const cases: Readonly<Record<string, Case>> = {
  'connections of an address': {
    max: connectionsMaxPerIp,
    code: 'too_many_connections_from_ip',
    counted: 'sluice_connections_rejected_total{reason="too_many_connections_from_ip"}',
    begin: () => {
      const address = newAddress();
      return (n) => upgrade(`user ${n}`, address);
    },
  },
  'connections of a user': {
    max: connectionsMaxPerUser,
    code: 'too_many_connections_of_user',
    counted: 'sluice_connections_rejected_total{reason="too_many_connections_of_user"}',
    begin: () => () => upgrade('dave'),
  },
  'connections of all': {
    max: connectionsMax,
    code: 'too_many_connections',
    counted: 'sluice_connections_rejected_total{reason="too_many_connections"}',
    begin: () => (n) => upgrade(`user ${n}`),
  },
  'subscriptions of a session': {
    max: subscriptionsPerSession,
    code: 'too_many_subscriptions',
    counted: 'sluice_subscription_errors_total{code="too_many_subscriptions"}',
    begin: async () => {
      const client = await enter('alice');
      return (n) => subscribe(client, { topic: `topic:${n}` });
    },
  },
  'views of a user of one topic': {
    max: viewsPerTopic / 4,
    code: 'too_many_views',
    counted: 'sluice_subscription_errors_total{code="too_many_views"}',
    begin: async () => {
      const clients = [await enter('alice'), await enter('alice')] as const;
      return (n) => subscribe(clients[n % 2]!, { topic: 'known', filter: filter(`${n}`) });
    },
  },
  'the name of a topic': {
    max: 200,
    code: 'invalid_topic',
    counted: 'sluice_subscription_errors_total{code="invalid_topic"}',
    isSize: true,
    begin: async () => {
      const client = await enter('alice');
      return (length) => subscribe(client, { topic: 'x'.repeat(length) });
    },
  },
  'the payload of a publication': {
    max: payloadMaxBytes,
    code: 'payload_too_large',
    counted: 'sluice_publish_errors_total{code="payload_too_large"}',
    isSize: true,
    begin: async () => {
      const client = await enter('alice');
      return async (bytes) =>
        errorOf(
          await client.call({ type: 'publish', topic: 'known', event: 'x', data: 'x'.repeat(bytes - 2) }),
        );
    },
  },
  'messageIds of a user': {
    max: messageIds,
    code: 'rate_limited',
    counted: 'sluice_rate_limited_total{scope="publish"}',
    begin: async () => {
      const clients = [await enter('erin'), await enter('erin')] as const;
      return async (n) => {
        const command = { type: 'publish', topic: 'known', event: 'x', data: n, messageId: `id ${n}` };
        return errorOf(await clients[n % 2]!.call(command));
      };
    },
  },
  'topics of a user': {
    max: topicsOfUser,
    code: 'too_many_topics',
    counted: 'sluice_publish_errors_total{code="too_many_topics"}',
    begin: async () => {
      const clients = [await enter('frank'), await enter('frank')] as const;
      return async (n) => {
        const command = { type: 'publish', topic: `frank:${n}`, event: 'x', data: n };
        return errorOf(await clients[n % 2]!.call(command));
      };
    },
  },
  'topics of the gateway': {
    max: newTopics,
    code: 'too_many_topics',
    counted: 'sluice_publish_errors_total{code="too_many_topics"}',
    begin: () => (n) => publish({ topic: `new:${n}`, data: n }),
  },
  'the body of a poll': {
    max: 256 * 1024,
    code: 'frame_too_large',
    counted: 'sluice_connections_rejected_total{reason="frame_too_large"}',
    isSize: true,
    begin: () => (bytes) =>
      ask('/poll', '{"subscriptions":[{"topic":"known"}],"timeoutSeconds":0}'.padEnd(bytes)),
  },
  'a body that publishes nothing': {
    max: 256 * 1024,
    code: 'frame_too_large',
    counted: 'sluice_http_requests_total{route="/api/tokens/revoke",status="413"}',
    isSize: true,
    begin: () => (bytes) => ask('/api/tokens/revoke', '{"user":"mallory"}'.padEnd(bytes)),
  },
  'entries of a page': {
    max: 1000,
    code: 'invalid_request',
    counted: 'sluice_http_requests_total{route="/api/topics",status="400"}',
    isSize: true,
    begin: () => (limit) => ask(`/api/topics?limit=${limit}`),
  },
  'recipients of a broadcast': {
    max: 500,
    code: 'invalid_request',
    counted: 'sluice_http_requests_total{route="/api/broadcast",status="400"}',
    isSize: true,
    begin: () => (length) =>
      ask('/api/broadcast', JSON.stringify({ type: 'x', data: 1, users: Array(length).fill('alice') })),
  },
};

const series = (name: string) => gateway.metric(name, byKey);

test.each(Object.entries(cases))(
  '%s: taken below and at the limit, refused above it, and counted',
  async (_, { max, code, counted, begin, isSize }) => {
    const take = await begin();
    const before = await series(counted);
    const tries = isSize ? [max - 1, max] : Array.from({ length: max }, (_each, i) => i + 1);
    for (const n of tries) expect([n, await take(n)]).toEqual([n, undefined]);
    expect(await series(counted)).toBe(before);
    expect(await take(max + 1)).toBe(code);
    expect(await series(counted)).toBe(before + 1);
  },
);

test('a client that is in goes on, though others have taken every place that there is', async () => {
  const address = newAddress();
  const member = await enter('carol', address);
  expect(await subscribe(member, { topic: 'known' })).toBeUndefined();
  const poll = async (query: string) => {
    const answer = await fetch(`${gateway.url}/poll?topic=known&timeoutSeconds=10${query}`, {
      headers: byKey,
    });
    return (await answer.json()) as { cursor: string; events: unknown };
  };
  const { cursor } = await poll('');
  const refusals: (string | undefined)[] = [];
  for (let n = 0; n < connectionsMaxPerIp; n++) refusals.push(await upgrade(`of the address ${n}`, address));
  for (let n = 0; n < connectionsMaxPerUser; n++) refusals.push(await upgrade('carol'));
  while (refusals.at(-1) !== 'too_many_connections') refusals.push(await upgrade(`user ${refusals.length}`));
  for (let n = 0; refusals.at(-1) !== 'too_many_topics'; n++)
    refusals.push(await publish({ topic: `more:${n}`, data: n }));
  expect(new Set(refusals)).toEqual(
    new Set(
      [undefined, ...['from_ip', 'of_user'].map((of) => `too_many_connections_${of}`)].concat([
        'too_many_connections',
        'too_many_topics',
      ]),
    ),
  );

  expect((await member.call({ type: 'ping' })).type).toBe('pong');
  const before = member.publications('known').length;
  const own = { type: 'publish', topic: 'known', event: 'x', data: 'own' };
  expect((await member.call(own)).type).toBe('published');
  expect(await publish({ topic: 'known', data: 'last' })).toBeUndefined();
  await member.count('known', before + 2);
  expect(JSON.stringify(await poll(`&cursor=${encodeURIComponent(cursor)}`))).toContain('"own"');
  const token = await signToken({ sub: 'carol', ...claims });
  expect((await member.call({ type: 'refresh', token })).type).toBe('refreshed');
  await member.call({ type: 'unsubscribe', topics: ['known'] });
  expect(await subscribe(member, { topic: 'known' })).toBeUndefined();
});
