import { describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { gatewayOfTest } from '../support/sdk.ts';
import { newFile } from '../support/temporary.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const otherKey = 'another-api-key-of-some-length';

/** Room for sixteen ids. */
const limits = { messageIdsMaxBytesPerClient: 1024 };
const room = 16;

let gateway: TestGateway;

function connect(query = ''): Promise<JsonClient> {
  return opened(JsonClient.open(gateway.wsUrl + query));
}

function token(user: string): Promise<string> {
  return signToken({ sub: user, topics: [{ pattern: '*', allow: ['publish', 'subscribe'] }] });
}

/** What becomes of a publish: its offset or the code of its error. */
type Publish = (messageId?: string) => Promise<unknown>;

function overHttp(headers: Record<string, string>): Publish {
  return async (messageId) => {
    const response = await gateway.post(
      '/api/publish',
      JSON.stringify({ topic: 't', data: 1, messageId }),
      headers,
    );
    const body = (await response.json()) as { offset?: number; error?: { code: string } };
    return response.ok
      ? body.offset
      : [response.status, body.error?.code, response.headers.get('retry-after')];
  };
}

function overWebSocket(client: JsonClient): Publish {
  return async (messageId) => {
    const reply = await client.call({ type: 'publish', topic: 't', event: 'e', data: 1, messageId });
    return reply.type === 'published' ? reply['offset'] : reply['code'];
  };
}

/** Publishes with ids of this letter until there is room for `left` more. Returns the number of publishes. */
async function fill(publish: Publish, letter: string, left: number): Promise<number> {
  const count = room - left;
  for (let i = 0; i < count; i++) expect(await publish(`${letter}-${i}`)).toBeTypeOf('number');
  return count;
}

/** The oldest id ends 300 s after it came. */
const tooMany = [429, 'rate_limited', expect.stringMatching(/^(300|[12]\d\d)$/)];

describe('message ids over the budget', () => {
  it('are refused to the user that they belong to, by each door, and to no one else', async () => {
    gateway = await gatewayOfTest({ ...limits, apiKeys: [apiKey, otherKey], tokenSecret });
    const [alice, bob] = await Promise.all([token('alice'), token('bob')]);
    const first = overWebSocket(await connect(`?token=${alice}`));
    const second = overWebSocket(await connect(`?token=${alice}`));
    const http = overHttp({ authorization: `Bearer ${alice}` });
    const before = await fill(first, 'a', 3);
    const next = (...offsets: number[]) => offsets.map((offset) => before + offset);
    expect([await first('a1'), await second('a2'), await http('a3')]).toEqual(next(1, 2, 3));
    expect([await first('a4'), await second('a4')]).toEqual(['rate_limited', 'rate_limited']);
    expect(await http('a4')).toEqual(tooMany);
    expect([await first('a1'), await second(), await http()]).toEqual(next(1, 4, 5));
    const others = [
      overWebSocket(await connect(`?token=${bob}`)),
      overHttp({ 'x-api-key': apiKey }),
      overHttp({ 'x-api-key': otherKey }),
    ];
    let offset = before + 5;
    for (const [i, publish] of others.entries()) expect(await publish(`b${i}`)).toBe(++offset);
    expect(await gateway.metric('sluice_rate_limited_total')).toBe(3);
    expect(await gateway.metric('sluice_message_id_bytes')).toBe((room + others.length) * 64);
  });

  it('are refused to a session that has no identity, not to another of the same address', async () => {
    const file = newFile(
      'sluice.yaml',
      'namespaces: { default: { anonymous: { subscribe: true, publish: true } } }\n',
    );
    gateway = await gatewayOfTest({ ...limits, apiKeys: [apiKey], anonymous: true }, file);
    const [one, two] = [overWebSocket(await connect()), overWebSocket(await connect())];
    await fill(one, 'a', 0);
    expect(await one('a4')).toBe('rate_limited');
    expect(await two('b1')).toBe(room + 1);
    expect(await overHttp({ 'x-api-key': apiKey })('c1')).toBe(room + 2);
  });

  it('are refused to an address where the gateway has no keys', async () => {
    gateway = await gatewayOfTest(limits);
    const publish = overHttp({});
    await fill(publish, 'a', 0);
    expect(await publish('a4')).toEqual(tooMany);
    const answer = await gateway.post(
      '/api/publish/batch',
      JSON.stringify([
        { topic: 't', data: 1 },
        { topic: 't', data: 1, messageId: 'a5' },
        { topic: 't', data: 1, messageId: 'a-0' },
      ]),
    );
    expect(await answer.json()).toMatchObject({
      results: [{ offset: room + 1 }, { error: { code: 'rate_limited' } }, { offset: 1, duplicate: true }],
    });
  });
});
