import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { extras } from '../../../src/client/subscriptions/extras.ts';
import type { Granted } from '../../../src/protocol/frames.ts';
import type { Reply } from '../../../src/protocol/server-frames.ts';
import { type FakeSocket, harness, publication, settled } from '../support/fakes.ts';

const granted = (topic: string, view: number) =>
  ({
    topic,
    view,
    mode: 'stream',
    epoch: 'e1',
    offset: 0,
    cursor: topic.endsWith('*') ? 'c' : undefined,
  }) as const;

const batch = (view: number, offset: number, topic?: string): Reply => ({
  kind: 'batch',
  view,
  topic,
  epoch: topic && 'e1',
  after: offset - 1,
  upto: offset,
  publications: [publication(offset)],
});

const missing = new TypeError('Failed to fetch dynamically imported module');

async function arrived() {
  const h = harness();
  const errors: string[] = [];
  h.client.onError(({ code }) => errors.push(code));
  const arrive = () => h.arrive();
  return { client: h.client, runtime: h.runtime, socket: await h.arrive(), errors, arrive };
}

/** As in a page that has loaded nothing yet. */
beforeEach(() => void Object.assign(extras, { loaded: undefined }));
afterEach(() => vi.restoreAllMocks());

describe('a subscription that is more than one topic from now on', () => {
  it('is sent when its code is loaded, and plain subscriptions do not wait for it', async () => {
    const { client, socket } = await arrived();
    const told: string[] = [];
    client.subscribe('a:*', {}, ({ topic, offset }) => told.push(`${topic} ${offset}`));
    client.subscribe('b', {}, ({ topic, offset }) => told.push(`${topic} ${offset}`));
    expect(client.getStatus().subscriptions).toBe(2);
    await Promise.resolve();
    expect(socket.command('subscribe').subscriptions).toMatchObject([{ topic: 'b' }]);
    socket.reply('subscribe', { kind: 'subscribed', results: [granted('b', 1)] });
    await vi.waitFor(() => expect(socket.count('subscribe')).toBe(2));
    expect(socket.command('subscribe').subscriptions).toMatchObject([{ topic: 'a:*' }]);
    socket.reply('subscribe', { kind: 'subscribed', results: [granted('a:*', 2)] });
    socket.push(batch(1, 1));
    socket.push(batch(2, 1, 'a:x'));
    expect(told).toEqual(['b 1', 'a:x 1']);
  });

  it.each([
    { filter: { op: 'eq', tag: 'level', value: 'high' } } as const,
    { last: 5 },
    { since: { epoch: 'e1', offset: 3 } },
    { keys: ['k'] },
  ])('keeps the options %j as they were at the call', async (options) => {
    const { client, socket } = await arrived();
    client.subscribe('a', options);
    await vi.waitFor(() => expect(socket.count('subscribe')).toBe(1));
    expect(socket.command('subscribe').subscriptions).toMatchObject([{ topic: 'a', ...options }]);
  });

  it('may get other keys, or end, before its code is there', async () => {
    const { client, socket } = await arrived();
    const grid = client.subscribe('grid', { keys: ['k1'] });
    grid.setKeys(['k2', 'k3']);
    client.subscribe('over:*').unsubscribe();
    await vi.waitFor(() => expect(socket.count('subscribe')).toBe(1));
    expect(socket.command('subscribe').subscriptions).toMatchObject([{ topic: 'grid', keys: ['k2', 'k3'] }]);
    expect(client.getStatus().subscriptions).toBe(1);
  });

  it('reports that its code does not load, and tries again while connected', async () => {
    const { client, socket, runtime, errors } = await arrived();
    const load = vi.spyOn(extras, 'load').mockRejectedValue(missing);
    client.subscribe('a:*');
    client.subscribe('b:*');
    await settled();
    await runtime.advance(1_000);
    expect(errors).toEqual(['code_unavailable', 'code_unavailable']);
    load.mockRestore();
    await runtime.advance(1_999);
    expect(socket.count('subscribe')).toBe(0);
    await runtime.advance(1);
    await vi.waitFor(() => expect(socket.count('subscribe')).toBe(1));
    client.close();
    expect(runtime.timers).toBe(0);
  });

  it('tries again with the next connection if there is none', async () => {
    const h = harness();
    h.client.onError(() => undefined);
    const load = vi.spyOn(extras, 'load').mockRejectedValueOnce(missing);
    h.client.subscribe('a:*');
    await settled();
    expect([load.mock.calls.length, h.runtime.timers]).toEqual([1, 0]);
    const socket = await h.arrive();
    await vi.waitFor(() => expect(socket.count('subscribe')).toBe(1));
  });
});

describe('a subscription to one topic from now on, before the code for extras is loaded,', () => {
  async function live() {
    const h = await arrived();
    const told: unknown[] = [];
    const add = () => {
      const subscription = h.client.subscribe('a', {}, ({ offset }) => told.push(offset));
      subscription.on('recovered', ({ offset }) => told.push(['recovered', offset]));
      subscription.on('gap', ({ missing }) => told.push(['gap', missing]));
      return subscription;
    };
    const subscription = add();
    await settled();
    h.socket.reply('subscribe', { kind: 'subscribed', results: [granted('a', 7)] });
    h.socket.push(batch(7, 1));
    return { ...h, subscription, told, add };
  }

  function resume(socket: FakeSocket, over: Partial<Granted> = {}): void {
    const result = { ...granted('a', 8), offset: 1, recovered: true, ...over };
    socket.reply('subscribe', { kind: 'subscribed', results: [result] });
  }

  it('goes on after a reconnect where it was, and repeats nothing', async () => {
    const { socket, arrive, told, subscription } = await live();
    socket.end();
    expect(subscription.state).toBe('pending');
    const next = await arrive();
    expect(next.command('subscribe').subscriptions).toMatchObject([
      { topic: 'a', since: { epoch: 'e1', offset: 1 } },
    ]);
    resume(next, { offset: 0 });
    next.push(batch(8, 1));
    next.push(batch(8, 2));
    expect(told).toEqual([1, ['recovered', 0], 2]);
    expect(subscription).toMatchObject({ state: 'live', position: { epoch: 'e1', offset: 2 } });
    expect(extras.loaded).toBeUndefined();
  });

  it('fetches what is missing before a batch', async () => {
    const { socket, told } = await live();
    // Losses are so rare that their code is loaded with the first. Another does not ask again.
    for (const offset of [3, 4]) socket.push(batch(7, offset));
    await vi.waitFor(() => expect(socket.count('subscribe')).toBe(2));
    expect(socket.command('subscribe').subscriptions).toMatchObject([{ since: { epoch: 'e1', offset: 1 } }]);
    resume(socket);
    for (const offset of [2, 3]) socket.push(batch(8, offset));
    expect(told).toEqual([1, ['recovered', 1], 2, 3]);
    expect(socket.count('subscribe')).toBe(2);
  });

  it('shares its place with one that joins later', async () => {
    const { socket, told, add } = await live();
    const other = add();
    expect(other).toMatchObject({ state: 'live', position: { epoch: 'e1', offset: 1 } });
    socket.push(batch(7, 2));
    expect(told).toEqual([1, 2, 2]);
    expect([socket.count('subscribe'), extras.loaded]).toEqual([1, undefined]);
  });

  it('may be one that the gateway made, like `$all` for each session', async () => {
    const { socket, client, arrive } = await arrived();
    const told: number[] = [];
    client.on('publication', ({ offset }) => told.push(offset));
    socket.push({ kind: 'subscribed', results: [granted('$all', 7)] });
    socket.push(batch(7, 1));
    socket.end();
    const next = await arrive();
    // It begins after one that was missed: the client's own, which goes out now, takes its place.
    next.push({ kind: 'subscribed', results: [{ ...granted('$all', 1), offset: 2 }] });
    next.push(batch(1, 3));
    expect(next.command('subscribe').subscriptions).toMatchObject([{ topic: '$all', since: { offset: 1 } }]);
    next.reply('subscribe', {
      kind: 'subscribed',
      results: [{ ...granted('$all', 2), offset: 1, recovered: true }],
    });
    for (const offset of [2, 3]) next.push(batch(2, offset));
    expect([told, extras.loaded]).toEqual([[1, 2, 3], undefined]);
  });

  it('has its first publication, and tells of another numbering', async () => {
    const { socket, client } = await arrived();
    const told: unknown[] = [];
    const subscription = client.subscribe('a', {}, ({ offset }) => told.push(offset));
    subscription.on('reset', ({ epoch }, previous) => told.push([epoch, previous]));
    await settled();
    socket.reply('subscribe', { kind: 'subscribed', results: [{ ...granted('a', 7), epoch: '' }] });
    const numbered = (epoch: string): Reply => ({
      kind: 'reset',
      view: 7,
      topic: 'a',
      epoch,
      offset: 0,
      mode: 'stream',
    });
    for (const frame of [numbered('e1'), batch(7, 1), numbered('e1'), numbered('e2'), batch(7, 1)])
      socket.push(frame);
    expect(told).toEqual([1, ['e2', { epoch: 'e1', offset: 1 }], 1]);
    expect(extras.loaded).toBeUndefined();
  });

  it('names what is lost when the code for that has come', async () => {
    const { socket, arrive, told } = await live();
    socket.end();
    const next = await arrive();
    resume(next, { offset: 4, recovered: false, missing: { after: 1, upto: 4 } });
    next.push(batch(8, 5));
    expect(told).toEqual([1]);
    await vi.waitFor(() => expect(told).toEqual([1, ['gap', { after: 1, upto: 4 }], 5]));
  });
});

describe('a frame that is more than publications', () => {
  const reset: Reply = { kind: 'reset', view: 7, topic: 'a', epoch: 'e2', offset: 0, mode: 'state' };

  async function live() {
    const h = await arrived();
    const told: unknown[] = [];
    const subscription = h.client.subscribe('a', {}, ({ offset }) => told.push(offset));
    subscription.on('reset', ({ epoch }) => told.push(epoch));
    await settled();
    h.socket.reply('subscribe', { kind: 'subscribed', results: [granted('a', 7)] });
    return { ...h, told };
  }

  it('waits for its code, and what comes after it waits too', async () => {
    const { socket, told } = await live();
    socket.push(batch(7, 1));
    socket.push(reset);
    socket.push(batch(7, 1));
    expect(told).toEqual([1]);
    await vi.waitFor(() => expect(told).toEqual([1, 'e2', 1]));
  });

  it('ends a connection if its code does not load: the next continues at the same position', async () => {
    const { socket, runtime, told, client, errors } = await live();
    vi.spyOn(extras, 'load').mockRejectedValueOnce(missing);
    socket.push(batch(7, 1));
    socket.push(reset);
    await settled();
    expect(told).toEqual([1]);
    expect(client.getStatus()).toMatchObject({ state: 'reconnecting', reason: 'code_unavailable' });
    expect(errors).toEqual([]);
    await runtime.advance(1_000);
  });

  it('is one about a state topic, or its snapshot', async () => {
    const { socket, client } = await arrived();
    const grid = client.subscribe('grid');
    await settled();
    const state = { ...granted('grid', 7), mode: 'state', offset: 1 } as const;
    socket.reply('subscribe', { kind: 'subscribed', results: [state] });
    const at = { view: 7, topic: 'grid', epoch: 'e1', offset: 1, first: true, last: true };
    socket.push({ kind: 'snapshot', ...at, publications: [publication(1, 1, { key: 'k' })] });
    expect(grid.state).toBe('pending');
    await vi.waitFor(() => expect([...grid.current().keys()]).toEqual(['k']));
  });
});

it('a refusal that may pass is tried again, also if the code for that is not loaded yet', async () => {
  const { client, socket, runtime } = await arrived();
  client.subscribe('a').on('error', () => undefined);
  await settled();
  const error = { code: 'too_many_subscriptions', number: 140, message: '', retry: true, retryAfterMs: 500 };
  socket.reply('subscribe', { kind: 'subscribed', results: [{ topic: 'a', error }] });
  await vi.waitFor(() => expect(extras.loaded).toBeDefined());
  await runtime.advance(2_000);
  expect(socket.count('subscribe')).toBe(2);
});

it('other keys, after a refresh: a value that is older than that of the refresh is not shown', async () => {
  const { client, socket } = await arrived();
  const grid = client.subscribe('grid', { keys: ['k1'] });
  const told: unknown[] = [];
  grid.on('publication', ({ key, offset }) => told.push([key, offset]));
  await vi.waitFor(() => expect(socket.count('subscribe')).toBe(1));
  const result = { ...granted('grid', 1), mode: 'state', offset: 3 } as const;
  socket.reply('subscribe', { kind: 'subscribed', results: [result] });
  const snapshot = { kind: 'snapshot', topic: 'grid', epoch: 'e1', first: true, last: true } as const;
  const value = (key: string, offset: number) => publication(offset, offset, { key });
  socket.push({ ...snapshot, view: 1, offset: 3, publications: [value('k1', 3)] });
  // A refresh, before the batches of what it shows.
  socket.push({ ...snapshot, view: 1, offset: 6, publications: [value('k1', 6)] });
  grid.setKeys(['k1', 'k2']);
  await vi.waitFor(() => expect(socket.count('setKeys')).toBe(1));
  const changed = { ...result, view: 2, offset: 3, recovered: true };
  socket.reply('setKeys', { kind: 'subscribed', results: [changed] });
  socket.push({ ...snapshot, view: 2, offset: 3, partial: true, publications: [value('k2', 2)] });
  socket.push({ kind: 'batch', view: 2, after: 3, upto: 5, publications: [value('k1', 5)] });
  expect([...grid.current()].map(([key, { offset }]) => [key, offset])).toEqual([
    ['k1', 6],
    ['k2', 2],
  ]);
  socket.push({ kind: 'batch', view: 2, after: 5, upto: 7, publications: [value('k1', 6), value('k2', 7)] });
  expect(told).toEqual([['k2', 7]]);
});
