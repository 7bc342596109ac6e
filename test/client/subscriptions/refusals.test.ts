import { describe, expect, it } from 'vitest';
import { harness, settled } from '../support/fakes.ts';
import { batch, grant, granted, live, record, topicsOf } from './fixtures.ts';

const rateLimited = (retryAfterMs: number) =>
  ({ kind: 'error', code: 'rate_limited', number: 140, message: 'slow', retry: true, retryAfterMs }) as const;
const refusal = (code: string, retry: boolean, retryAfterMs?: number) =>
  ({ code, number: 142, message: code, retry, retryAfterMs }) as const;

describe('many subscriptions', () => {
  it.each([499, 500, 501])('of a reconnect go out in commands of 500 at most: %i', async (count) => {
    const h = harness();
    for (let n = 0; n < count; n++) h.client.subscribe(`t${n}`);
    const socket = await h.arrive();
    const sizes = socket.frames.flatMap((frame) =>
      frame.kind === 'subscribe' ? [frame.subscriptions.length] : [],
    );
    expect(sizes).toEqual(count > 500 ? [500, count - 500] : [count]);
    socket.push(
      { kind: 'subscribed', results: [granted({ topic: `t${count - 1}`, view: 4 })] },
      socket.command('subscribe').id,
    );
  });

  it('go out in commands that the gateway takes, and one that it never would is refused alone', async () => {
    const h = harness();
    const codes: string[] = [];
    h.client.onError(({ code }) => codes.push(code));
    const filter = (length: number) => ({ op: 'eq', tag: 'k', value: 'x'.repeat(length) }) as const;
    for (const name of ['a', 'b', 'c']) h.client.subscribe(name, { filter: filter(500) });
    const large = h.client.subscribe('large', {
      filter: { op: 'in', tag: 'k', values: ['x'.repeat(900), 'y'.repeat(900)] },
    });
    void h.client.connect();
    await settled();
    const limits = {
      frameMaxBytes: 1_500,
      payloadMaxBytes: 1_000,
      subscriptions: 100,
      commandsPerSecond: 100,
      idleTimeoutMs: 60_000,
    };
    h.socket.greet({ limits });
    expect([codes, large.state, h.socket.count('subscribe')]).toEqual([['frame_too_large'], 'refused', 2]);
    expect(h.client.getStatus().state).toBe('connected');
  });

  it('that a full gateway refused at once are asked for again at once', async () => {
    const h = harness();
    h.client.onError(() => {});
    for (const name of ['a', 'b', 'c']) h.client.subscribe(name);
    const socket = await h.arrive();
    const error = refusal('too_many_views', true);
    socket.reply('subscribe', {
      kind: 'subscribed',
      results: ['a', 'b', 'c'].map((topic) => ({ topic, error })),
    });
    await h.runtime.advance(1_000);
    expect([socket.count('subscribe'), topicsOf(socket)]).toEqual([2, ['a', 'b', 'c']]);
  });
});

describe('a refusal', () => {
  it('of one touches no other of its command', async () => {
    const h = harness();
    const [good, bad] = ['a', 'b'].map((topic) => h.client.subscribe(topic));
    bad?.on('error', () => {});
    const socket = await h.arrive();
    const results = [granted(), { topic: 'b', error: refusal('invalid_filter', false) }];
    socket.reply('subscribe', { kind: 'subscribed', results });
    expect([good?.state, bad?.state]).toEqual(['live', 'refused']);
  });

  it.each([false, true])('is tried again once by the next connection (retry: %j)', async (retry) => {
    const h = harness({ heartbeat: { timeoutMs: 1e9 } });
    h.client.onError(() => {});
    h.client.subscribe('a');
    const socket = await h.arrive();
    socket.reply('subscribe', {
      kind: 'subscribed',
      results: [{ topic: 'a', error: refusal('too_many_views', retry, 30_000) }],
    });
    socket.end();
    await h.arrive();
    expect(h.socket.count('subscribe')).toBe(1);
    grant(h.socket, {});
    await h.runtime.advance(30_000);
    expect(h.socket.count('subscribe')).toBe(1);
  });

  it('of a topic of the session’s own is told to the application', async () => {
    const h = harness();
    const told: string[] = [];
    h.client.onError(({ code, message }) => told.push(`${code} ${message}`));
    const socket = await h.arrive();
    const error = { ...refusal('too_many_topics', true), message: 'no room' };
    socket.push({ kind: 'subscribed', results: [{ topic: 'user:alice', error }] });
    expect(told).toEqual(['too_many_topics user:alice: no room']);
    const heard: number[] = [];
    h.client.on('publication', ({ offset }) => heard.push(offset));
    socket.push({ kind: 'subscribed', results: [granted({ topic: 'user:alice' })] });
    socket.push(batch(0, 1));
    expect(heard).toEqual([1]);
  });

  it('of a topic of the user before is nothing to tell, and ends it', async () => {
    const h = harness();
    const told: string[] = [];
    h.client.onError(({ code }) => told.push(code));
    const before = await h.arrive();
    before.push({ kind: 'subscribed', results: [granted({ topic: 'user:alice' })] });
    before.push(batch(0, 1));
    h.client.close();
    const socket = await h.arrive();
    socket.reply('subscribe', {
      kind: 'subscribed',
      results: [{ topic: 'user:alice', error: refusal('forbidden', false) }],
    });
    // Less than the first ping waits for its reply, which does not come here.
    await h.runtime.advance(9_000);
    expect([told, h.client.getStatus().subscriptions, socket.count('subscribe')]).toEqual([[], 0, 1]);
  });
});

describe('a subscribe', () => {
  it('over the rate is no refusal, and is sent again with all that was in it', async () => {
    const h = harness();
    const told = ['a', 'b'].map((topic) => record(h.client.subscribe(topic)));
    const socket = await h.arrive();
    socket.reply('subscribe', rateLimited(800));
    await h.runtime.advance(799);
    expect(socket.count('subscribe')).toBe(1);
    await h.runtime.advance(1);
    expect([socket.count('subscribe'), topicsOf(socket)]).toEqual([2, ['a', 'b']]);
    expect(told).toEqual([[], []]);
  });

  it('without a reply ends the connection: what the gateway has is unknown', async () => {
    const h = harness({ heartbeat: { timeoutMs: 1e9 } });
    h.client.subscribe('a');
    const socket = await h.arrive();
    await h.runtime.advance(10_000);
    expect(socket.closedBy).toBeDefined();
    expect(h.client.getStatus()).toMatchObject({ state: 'reconnecting', reason: 'timeout' });
  });
});

describe('an unsubscribe', () => {
  async function leftOne() {
    const h = await live();
    h.subscription.unsubscribe();
    await settled();
    return h;
  }

  it('of many of one turn is one command', async () => {
    const h = harness();
    const all = ['a', 'b', 'c'].map((topic) => h.client.subscribe(topic));
    const socket = await h.arrive();
    grant(socket, { view: 1 }, { topic: 'b', view: 2 }, { topic: 'c', view: 3 });
    for (const one of all) one.unsubscribe();
    await settled();
    expect([socket.count('unsubscribe'), socket.command('unsubscribe').views]).toEqual([1, [1, 2, 3]]);
  });

  it('over the rate is sent again; the ghost is not heard, and the topic can be subscribed again', async () => {
    const { socket, client, runtime } = await leftOne();
    socket.reply('unsubscribe', rateLimited(400));
    const again = client.subscribe('a');
    const told = record(again);
    await settled();
    socket.push(batch(0, 1));
    await runtime.advance(399);
    expect([socket.count('unsubscribe'), socket.count('subscribe'), told]).toEqual([1, 1, []]);
    await runtime.advance(1);
    expect([socket.count('unsubscribe'), socket.count('subscribe')]).toEqual([2, 2]);
    expect(socket.frames.slice(-2).map(({ kind }) => kind)).toEqual(['unsubscribe', 'subscribe']);
    grant(socket, { view: 7, offset: 1 });
    socket.push(batch(1, 2));
    expect([again.state, told]).toEqual(['live', [2]]);
  });

  it('over the rate does not hold up other subscriptions', async () => {
    const { socket, client } = await leftOne();
    socket.reply('unsubscribe', rateLimited(400));
    client.subscribe('b');
    client.subscribe('a', { intervalMs: 1_000 });
    await settled();
    expect(topicsOf(socket)).toEqual(['b', 'a']);
  });

  it('is over with its connection', async () => {
    const h = await leftOne();
    h.socket.reply('unsubscribe', rateLimited(5_000));
    h.client.subscribe('a');
    const second = await h.comeBack();
    expect([second.count('unsubscribe'), second.count('subscribe')]).toEqual([0, 1]);
    grant(second, {});
    const other = h.client.subscribe('b');
    await settled();
    grant(second, { topic: 'b', view: 8 });
    other.unsubscribe();
    await settled();
    expect(second.command('unsubscribe').views).toEqual([8]);
  });

  it('without a reply ends the connection', async () => {
    const h = harness({ heartbeat: { timeoutMs: 1e9 } });
    const subscription = h.client.subscribe('a');
    const socket = await h.arrive();
    grant(socket, {});
    subscription.unsubscribe();
    await settled();
    await h.runtime.advance(10_000);
    expect(h.client.getStatus()).toMatchObject({ state: 'reconnecting', reason: 'timeout' });
  });
});

describe('a subscription that the gateway has already', () => {
  const already = refusal('already_subscribed', false);

  it('is asked for again when the unsubscribe before it, which was over the rate, has been sent', async () => {
    const { socket, client, runtime, subscription } = await live();
    subscription.unsubscribe();
    const release = async () => {
      await settled();
      return client.subscribe('a');
    };
    const again = await release();
    await settled();
    socket.push(rateLimited(400), socket.command('unsubscribe').id);
    socket.reply('subscribe', { kind: 'subscribed', results: [{ topic: 'a', error: already }] });
    await runtime.advance(400);
    grant(socket, { view: 7 });
    expect(again.state).toBe('live');
  });

  it('and the client does not, is ended and asked for again', async () => {
    const h = harness();
    const subscription = h.client.subscribe('a');
    const told = record(subscription);
    const socket = await h.arrive();
    socket.reply('subscribe', { kind: 'subscribed', results: [{ topic: 'a', error: already }] });
    socket.reply('status', {
      kind: 'status',
      session: 's1',
      connectedAtMs: 1,
      messageCount: 0,
      timeMs: 1,
      subscriptions: [
        { topic: 'a', view: 3 },
        { topic: 'b', view: 4 },
      ],
    });
    await settled();
    expect(socket.command('unsubscribe').views).toEqual([3]);
    await h.runtime.advance(1_000);
    expect(socket.count('subscribe')).toBe(2);
    grant(socket, { view: 3 });
    expect([subscription.state, told]).toEqual(['live', []]);
  });

  it('for another here that gets the same, as the namespace conflates by itself, is one with that from now on', async () => {
    const h = harness();
    const first = h.client.subscribe('a');
    const second = h.client.subscribe('a', { conflate: true });
    const told = [first, second].map((one) => record(one));
    const socket = await h.arrive();
    socket.reply('subscribe', { kind: 'subscribed', results: [granted(), { topic: 'a', error: already }] });
    await settled();
    socket.push(batch(0, 2));
    expect([second.state, told]).toEqual([
      'live',
      [
        [1, 2],
        [1, 2],
      ],
    ]);
    first.unsubscribe();
    await settled();
    expect(socket.count('unsubscribe')).toBe(0);
    second.unsubscribe();
    await settled();
    expect(socket.command('unsubscribe').views).toEqual([7]);
  });
});
