import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { signToken, tokenSecret } from '../support/tokens.ts';

let gateway: TestGateway;

beforeEach(async () => {
  gateway = await startGateway({ tokenSecret });
});
afterEach(() => gateway.close());

async function client(user: string, allow: readonly string[]): Promise<JsonClient> {
  const token = await signToken({ sub: user, topics: [{ pattern: 'room:*', allow }] }, { expiresIn: '1h' });
  return JsonClient.open(`${gateway.wsUrl}?token=${token}`);
}

const subscribe = { type: 'subscribe', topic: 'room:1' };

describe('presence', () => {
  it('lists the subscribed sessions by user, each once', async () => {
    const alice = await client('alice', ['subscribe', 'presence']);
    const bob = await client('bob', ['subscribe']);
    await alice.call(subscribe);
    await alice.call({ ...subscribe, filter: { op: 'exists', tag: 'x' } });
    await bob.call(subscribe);
    const list = await alice.call({ type: 'presence', topic: 'room:1' });
    expect(list['count']).toBe(2);
    expect((list['members'] as { user: string }[]).map(({ user }) => user).sort()).toEqual(['alice', 'bob']);
  });

  it('tells the sessions that asked for it which ones join and leave', async () => {
    const alice = await client('alice', ['subscribe', 'presence']);
    await alice.call({ ...subscribe, presence: true });
    const bob = await client('bob', ['subscribe']);
    await bob.call(subscribe);
    const isBob = (frame: Readonly<Record<string, unknown>>) =>
      (frame['member'] as { user?: string })?.user === 'bob';
    const joined = await alice.until((frame) => frame.type === 'joined' && isBob(frame));
    expect(joined['topic']).toBe('room:1');
    await bob.close();
    const left = await alice.until((frame) => frame.type === 'left' && isBob(frame));
    expect(left['member']).toEqual(joined['member']);
  });
});
