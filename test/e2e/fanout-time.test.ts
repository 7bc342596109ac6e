import { expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { gatewayOfTest } from '../support/sdk.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

let gateway: TestGateway;

function token(user: string): Promise<string> {
  return signToken({ sub: user, topics: [{ pattern: '*', allow: ['publish', 'subscribe'] }] });
}

/** How many of these publications are refused, by code. */
async function refusals(credential: string, count: number): Promise<Record<string, number>> {
  const items = Array.from({ length: count }, () => ({ topic: 't', data: 1 }));
  const headers = { authorization: `Bearer ${credential}` };
  const response = await gateway.post('/api/publish/batch', JSON.stringify(items), headers);
  const { results } = (await response.json()) as { results: { error?: { code: string } }[] };
  const codes: Record<string, number> = {};
  for (const { error } of results) if (error !== undefined) codes[error.code] = (codes[error.code] ?? 0) + 1;
  return codes;
}

it('a batch that would take long to send is cut for the user that publishes it, not for others or a key', async () => {
  gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
  expect(await refusals(await token('alice'), 1000)).toEqual({});
  for (let user = 0; user < 4; user++) {
    const client = await opened(JsonClient.open(`${gateway.wsUrl}?token=${await token(`u${user}`)}`));
    const subscriptions = Array.from({ length: 16 }, (_, view) => {
      const condition = (i: number) => ({ op: 'eq', tag: `t${i}`, value: `${user} ${view}` });
      return {
        topic: 't',
        filter: { op: 'or', filters: Array.from({ length: 60 }, (_, i) => condition(i)) },
      };
    });
    await client.call({ type: 'subscribe', subscriptions });
  }
  const refused = await refusals(await token('alice'), 1000);
  expect(Object.keys(refused)).toEqual(['rate_limited']);
  expect(refused['rate_limited']).toBeLessThan(1000);
  expect(await refusals(await token('bob'), 1)).toEqual({});
  expect(await refusals(apiKey, 1000)).toEqual({});
});
