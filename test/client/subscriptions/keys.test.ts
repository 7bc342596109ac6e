import { describe, expect, it } from 'vitest';
import type { Reply } from '../../../src/protocol/server-frames.ts';
import { type FakeSocket, harness, publication, settled } from '../support/fakes.ts';

const subscribed = (view: number): Reply => ({
  kind: 'subscribed',
  results: [{ topic: 'grid', view, mode: 'state', epoch: 'e1', offset: 0 }],
});

const refused = (code: string, number: number, retryAfterMs?: number): Reply => ({
  kind: 'error',
  code,
  number,
  message: code,
  retry: number >= 140,
  retryAfterMs,
});

/** The snapshot of a view: each key has itself for a value. */
const valuesOf = (view: number, ...keys: string[]): Reply => ({
  kind: 'snapshot',
  view,
  topic: 'grid',
  epoch: 'e1',
  offset: 9,
  first: true,
  last: true,
  publications: keys.map((key, index) => publication(index + 1, key, { key })),
});

const keysOfSubscribe = (socket: FakeSocket) =>
  socket.command('subscribe').subscriptions.map(({ keys }) => keys);

/** A grid of `a` that has just been given `b` instead. */
async function changing() {
  const h = harness({ heartbeat: { timeoutMs: 1e9 } });
  h.client.onError(() => undefined);
  const socket = await h.arrive();
  const grid = h.client.subscribe('grid', { keys: ['a'] });
  await settled();
  socket.reply('subscribe', subscribed(1));
  socket.push(valuesOf(1, 'a'));
  grid.setKeys(['b']);
  await settled();
  expect(socket.command('setKeys')).toMatchObject({ view: 1, keys: ['b'] });
  const shown = () => [...grid.current().keys()];
  /** Lets the client in by the attempt that is under way. */
  const next = async () => {
    h.socket.greet();
    await settled();
    return h.socket;
  };
  return { client: h.client, runtime: h.runtime, socket, grid, shown, next };
}

describe('other keys of a subscription', () => {
  it('come by another view, in place of the one before', async () => {
    const { socket, shown, grid } = await changing();
    socket.reply('setKeys', subscribed(2));
    socket.push(valuesOf(1, 'a', 'late'));
    socket.push(valuesOf(2, 'b'));
    expect([shown(), grid.state]).toEqual([['b'], 'live']);
    await settled();
    expect([socket.count('setKeys'), socket.count('subscribe')]).toEqual([1, 1]);
  });

  it('make one that lagged live again: of the view before the gateway tells no more', async () => {
    const { socket, grid } = await changing();
    const told: string[] = [];
    for (const event of ['state', 'caughtUp'] as const)
      grid.on(event, () => told.push(`${event} ${grid.state}`));
    socket.push({ kind: 'lagging', views: [1] });
    socket.reply('setKeys', subscribed(2));
    expect(told).toEqual(['state lagging', 'state live', 'caughtUp live']);
  });

  it('tell of a numbering that began just before', async () => {
    const { socket, shown, grid } = await changing();
    const told: string[] = [];
    grid.on('reset', ({ epoch }) => told.push(epoch));
    const another = {
      topic: 'grid',
      view: 2,
      mode: 'state',
      epoch: 'e2',
      offset: 0,
      recovered: true,
    } as const;
    socket.reply('setKeys', { kind: 'subscribed', results: [another] });
    expect([told, shown(), grid.position]).toEqual([['e2'], [], { epoch: 'e2', offset: 0 }]);
  });

  it('of a numbering that began just before are still awaited, also by the next connection', async () => {
    const { socket, runtime, next } = await changing();
    const another = { topic: 'grid', view: 2, mode: 'state', epoch: 'e2', offset: 9 } as const;
    socket.reply('setKeys', { kind: 'subscribed', results: [another] });
    socket.end();
    await runtime.advance(1000);
    const [wanted] = (await next()).command('subscribe').subscriptions;
    expect(wanted).toMatchObject({ topic: 'grid', keys: ['b'], since: undefined });
  });

  it('over the rate are asked for by a new subscription, no earlier than the gateway said', async () => {
    const { socket, runtime, shown, grid } = await changing();
    socket.reply('setKeys', refused('rate_limited', 140, 3_000));
    await settled();
    expect(socket.command('unsubscribe').views).toEqual([1]);
    socket.reply('unsubscribe', { kind: 'unsubscribed', views: [1] });
    await runtime.advance(2_999);
    expect(socket.count('subscribe')).toBe(1);
    await runtime.advance(1);
    expect(keysOfSubscribe(socket)).toEqual([['b']]);
    socket.reply('subscribe', subscribed(2));
    socket.push(valuesOf(2, 'b'));
    expect(shown()).toEqual(['b']);
    // And they may change again.
    grid.setKeys(['c']);
    await settled();
    expect(socket.command('setKeys')).toMatchObject({ view: 2, keys: ['c'] });
  });

  const error = { code: 'too_many_views', number: 142, message: 'full', retry: true };
  const isFull: Reply = { kind: 'subscribed', results: [{ topic: 'grid', error }] };

  it.each([
    ['by WebSocket', refused('too_many_views', 142)],
    ['over HTTP, where they are another subscription', isFull],
  ])(
    'that the gateway refuses %s are asked for at once by a new subscription, which is told why',
    async (_, refusal) => {
      const { socket, grid } = await changing();
      socket.reply('setKeys', refusal);
      await settled();
      expect(socket.command('unsubscribe').views).toEqual([1]);
      socket.reply('unsubscribe', { kind: 'unsubscribed', views: [1] });
      await settled();
      expect(keysOfSubscribe(socket)).toEqual([['b']]);
      expect(socket.count('subscribe')).toBe(2);
      socket.reply('subscribe', isFull);
      expect([grid.state, grid.error?.code]).toEqual(['refused', 'too_many_views']);
    },
  );

  it('without a reply end the connection: which keys the gateway sends is unknown', async () => {
    const { client, runtime } = await changing();
    await runtime.advance(10_000);
    expect(client.getStatus()).toMatchObject({ state: 'reconnecting', reason: 'timeout' });
  });

  it('are those of the next connection where this one ends before the reply', async () => {
    const { socket, runtime, grid, next } = await changing();
    socket.end();
    expect(grid.state).toBe('pending');
    await runtime.advance(1_000);
    const later = await next();
    expect(keysOfSubscribe(later)).toEqual([['b']]);
    later.reply('subscribe', subscribed(1));
    grid.setKeys(['c']);
    await settled();
    expect(later.command('setKeys')).toMatchObject({ view: 1, keys: ['c'] });
  });

  it('are ended where the subscription was left before the reply', async () => {
    const { socket, grid } = await changing();
    grid.unsubscribe();
    await settled();
    expect(socket.command('unsubscribe').views).toEqual([1]);
    socket.reply('unsubscribe', refused('not_subscribed', 132));
    socket.reply('setKeys', subscribed(2));
    await settled();
    expect(socket.command('unsubscribe').views).toEqual([2]);
  });
});

describe('who is subscribed to a topic', () => {
  const member = (session: string) => ({ session, sinceMs: 1 });

  it('is told to the subscriptions that want it, of a topic and of patterns that have it', async () => {
    const h = harness();
    const socket = await h.arrive();
    const told: string[] = [];
    const names = [
      ['room:1', true],
      ['room:1', false],
      ['room:*', true],
      ['other:*', true],
    ] as const;
    for (const [index, [topic, presence]] of names.entries()) {
      const subscription = h.client.subscribe(topic, { presence });
      for (const kind of ['joined', 'left'] as const)
        subscription.on(kind, (who, name) => told.push(`${index} ${kind} ${who.session} ${name}`));
    }
    await settled();
    for (const kind of ['joined', 'left'] as const)
      socket.push({ kind, topic: 'room:1', member: member('s2') });
    socket.push({ kind: 'joined', topic: 'room:2', member: member('s3') });
    expect(told).toEqual([
      ...['0 joined s2 room:1', '2 joined s2 room:1'],
      ...['0 left s2 room:1', '2 left s2 room:1'],
      '2 joined s3 room:2',
    ]);
  });
});
