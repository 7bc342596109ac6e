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

  it('goes on for the watchers that stay when one of them leaves, and for one that comes later', async () => {
    const watching = { ...subscribe, presence: true };
    const [alice, bob] = [
      await client('alice', ['subscribe', 'presence']),
      await client('bob', ['subscribe', 'presence']),
    ];
    await alice.call(watching);
    await bob.call(watching);
    await alice.call({ type: 'unsubscribe', topic: 'room:1' });
    const carol = await client('carol', ['subscribe']);
    await carol.call(subscribe);
    const hears = (who: JsonClient, type: string, name: string) =>
      who.until((frame) => frame.type === type && (frame['member'] as { user?: string }).user === name);
    await hears(bob, 'joined', 'carol');
    await bob.close();
    await alice.call(watching);
    await carol.close();
    await hears(alice, 'left', 'carol');
  });

  it('goes on for the only watcher, where it comes back', async () => {
    const alice = await client('alice', ['subscribe', 'presence']);
    for (let times = 0; times < 2; times++) {
      await alice.call({ ...subscribe, presence: true });
      if (times === 0) await alice.call({ type: 'unsubscribe', topic: 'room:1' });
    }
    const bob = await client('bob', ['subscribe']);
    await bob.call(subscribe);
    await alice.until(({ type, member }) => type === 'joined' && (member as { user: string }).user === 'bob');
  });

  it('ends with the subscription that asked for it', async () => {
    const alice = await client('alice', ['subscribe', 'presence']);
    await alice.call({ ...subscribe, presence: true });
    await alice.call({ type: 'unsubscribe', topic: 'room:1' });
    const status = await alice.call({ type: 'status' });
    const topics = (status['subscriptions'] as { topic: string }[]).map(({ topic }) => topic).sort();
    expect(topics).toEqual(['$all', 'user:alice']);
    expect((await alice.call({ type: 'presence', topic: 'room:1' }))['count']).toBe(0);
  });

  it('goes on while another subscription of the session asks for it', async () => {
    const alice = await client('alice', ['subscribe', 'presence']);
    const first = await alice.call({ ...subscribe, presence: true });
    await alice.call({ ...subscribe, presence: true, filter: { op: 'exists', tag: 'x' } });
    const [{ view }] = first['results'] as [{ view: number }];
    await alice.call({ type: 'unsubscribe', view });
    const bob = await client('bob', ['subscribe']);
    await bob.call(subscribe);
    await alice.until(
      (frame) => frame.type === 'joined' && (frame['member'] as { user?: string }).user === 'bob',
    );
  });

  it('is refused to a client whose token does not allow it', async () => {
    const bob = await client('bob', ['subscribe']);
    expect(await bob.call({ type: 'presence', topic: 'room:1' })).toMatchObject({
      type: 'error',
      code: 'forbidden',
    });
    const reply = await bob.call({ ...subscribe, presence: true });
    expect(reply['results']).toMatchObject([{ error: { code: 'forbidden' } }]);
  });
});
