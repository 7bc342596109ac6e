import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const otherKey = 'another-api-key-of-some-length';

/** Room for three ids of two characters each. */
const limits = { messageIdsMaxBytesPerClient: 1024 };

let gateway: TestGateway;
const clients: JsonClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await gateway.close();
});

async function connect(query = ''): Promise<JsonClient> {
  const client = await JsonClient.open(gateway.wsUrl + query);
  clients.push(client);
  return client;
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

const tooMany = [429, 'rate_limited', '300'];

describe('message ids over the budget', () => {
  it('are refused to the user that they belong to, by each door, and to no one else', async () => {
    gateway = await startGateway({ ...limits, apiKeys: [apiKey, otherKey], tokenSecret });
    const [alice, bob] = await Promise.all([token('alice'), token('bob')]);
    const first = overWebSocket(await connect(`?token=${alice}`));
    const second = overWebSocket(await connect(`?token=${alice}`));
    const http = overHttp({ authorization: `Bearer ${alice}` });
    expect([await first('a1'), await second('a2'), await http('a3')]).toEqual([1, 2, 3]);
    expect([await first('a4'), await second('a4')]).toEqual(['rate_limited', 'rate_limited']);
    expect(await http('a4')).toEqual(tooMany);
    expect([await first('a1'), await second(), await http()]).toEqual([1, 4, 5]);
    const others = [
      overWebSocket(await connect(`?token=${bob}`)),
      overHttp({ 'x-api-key': apiKey }),
      overHttp({ 'x-api-key': otherKey }),
    ];
    let offset = 5;
    for (const [i, publish] of others.entries()) expect(await publish(`b${i}`)).toBe(++offset);
    expect(await gateway.metric('sluice_rate_limited_total')).toBe(3);
    expect(await gateway.metric('sluice_message_id_bytes')).toBeGreaterThan(6 * 256);
  });

  it('are refused to a session that has no identity, not to another of the same address', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-ids-'));
    const file = join(folder, 'sluice.yaml');
    await writeFile(file, 'namespaces: { default: { anonymous: { subscribe: true, publish: true } } }\n');
    gateway = await startGateway({ ...limits, apiKeys: [apiKey], anonymous: true }, file);
    await rm(folder, { recursive: true });
    const [one, two] = [overWebSocket(await connect()), overWebSocket(await connect())];
    for (const [i, id] of ['a1', 'a2', 'a3'].entries()) expect(await one(id)).toBe(i + 1);
    expect(await one('a4')).toBe('rate_limited');
    expect(await two('b1')).toBe(4);
    expect(await overHttp({ 'x-api-key': apiKey })('c1')).toBe(5);
  });

  it('are refused to an address where the gateway has no keys', async () => {
    gateway = await startGateway(limits);
    const publish = overHttp({});
    for (const [i, id] of ['a1', 'a2', 'a3'].entries()) expect(await publish(id)).toBe(i + 1);
    expect(await publish('a4')).toEqual(tooMany);
    const answer = await gateway.post(
      '/api/publish/batch',
      JSON.stringify([
        { topic: 't', data: 1 },
        { topic: 't', data: 1, messageId: 'a5' },
        { topic: 't', data: 1, messageId: 'a1' },
      ]),
    );
    expect(await answer.json()).toMatchObject({
      results: [{ offset: 4 }, { error: { code: 'rate_limited' } }, { offset: 1, duplicate: true }],
    });
  });
});
