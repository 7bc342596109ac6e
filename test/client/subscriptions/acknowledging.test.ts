import { expect, it } from 'vitest';
import type { Granted } from '../../../src/protocol/frames.ts';
import type { Reply } from '../../../src/protocol/server-frames.ts';
import { type FakeSocket, harness, publication, settled } from '../support/fakes.ts';

const topic = 'user:alice';

function granted(offset: number, over: Partial<Granted> = {}): Reply {
  const result = { topic, view: 7, mode: 'stream', epoch: 'e1', offset, inbox: true, ...over } as const;
  return { kind: 'subscribed', results: [result] };
}

const batch = (offset: number, view = 7): Reply => ({
  kind: 'batch',
  view,
  after: offset - 1,
  upto: offset,
  publications: [publication(offset)],
});

/** What the gateway was told, beside heartbeats. */
const acks = (socket: FakeSocket) =>
  socket.frames.flatMap((frame) => (frame.kind === 'ping' && frame.acks ? frame.acks : []));

async function inbox(isHeard = true) {
  const h = harness();
  const socket = await h.arrive();
  const had: number[] = [];
  const subscription = h.client.subscribe(topic);
  if (isHeard) subscription.on('publication', ({ offset }) => had.push(offset));
  await settled();
  socket.reply('subscribe', granted(0));
  await h.runtime.advance(1_000);
  return { ...h, socket, had, subscription, client: h.client, runtime: h.runtime };
}

it('says at once what listeners have had, and then at most once a second', async () => {
  const { socket, runtime } = await inbox();
  expect(acks(socket)).toEqual([]);
  socket.push(batch(1));
  await runtime.advance(0);
  for (const offset of [2, 3, 4]) socket.push(batch(offset));
  await runtime.advance(999);
  expect(acks(socket)).toEqual([{ view: 7, epoch: 'e1', offset: 1 }]);
  await runtime.advance(1);
  expect(acks(socket).slice(1)).toEqual([{ view: 7, epoch: 'e1', offset: 4 }]);
  await runtime.advance(5_000);
  expect(acks(socket)).toHaveLength(2);
});

it('says of which numbering it was, though the topic has begun another one since', async () => {
  const { socket, runtime } = await inbox();
  socket.push(batch(1));
  await runtime.advance(0);
  socket.push(batch(2));
  socket.push({ kind: 'reset', view: 7, topic, epoch: 'e2', offset: 0, mode: 'stream' });
  await runtime.advance(1_000);
  expect(acks(socket).at(-1)).toEqual({ view: 7, epoch: 'e1', offset: 2 });
});

it('says it before the client closes', async () => {
  const { socket, client } = await inbox();
  socket.push(batch(1));
  client.close();
  expect(acks(socket).at(-1)).toEqual({ view: 7, epoch: 'e1', offset: 1 });
});

it('says it again where the gateway limits the rate, unless more was had meanwhile', async () => {
  const { socket, runtime } = await inbox();
  socket.push(batch(1));
  await runtime.advance(0);
  const error = { kind: 'error', code: 'rate_limited', number: 140, message: 'm', retry: true } as const;
  socket.reply('ping', { ...error, retryAfterMs: 100 });
  await runtime.advance(1_000);
  expect(acks(socket)).toEqual([
    { view: 7, epoch: 'e1', offset: 1 },
    { view: 7, epoch: 'e1', offset: 1 },
  ]);
});

it('says by the next connection what the last one could not', async () => {
  const h = await inbox();
  h.socket.push(batch(1));
  const next = await h.comeBack();
  await settled();
  expect(next.command('subscribe').subscriptions).toMatchObject([{ since: { epoch: 'e1', offset: 1 } }]);
  next.reply('subscribe', granted(1, { view: 8, recovered: true }));
  await h.runtime.advance(0);
  expect(acks(next)).toEqual([{ view: 8, epoch: 'e1', offset: 1 }]);
});

it('says nothing of what came when nothing listened, and gives it to the first that does', async () => {
  const { socket, runtime, client, subscription } = await inbox(false);
  socket.push(batch(1));
  socket.push(batch(2));
  await runtime.advance(1_000);
  expect(acks(socket)).toEqual([]);
  const had: number[] = [];
  client.subscribe(topic, {}, ({ offset }) => had.push(offset));
  await settled();
  expect(socket.command('subscribe').subscriptions).toMatchObject([{ since: { epoch: 'e1', offset: 0 } }]);
  socket.reply('subscribe', granted(0, { view: 8, recovered: true }));
  for (const offset of [1, 2, 3]) socket.push(batch(offset, 8));
  await runtime.advance(1_000);
  expect([had, subscription.position?.offset, acks(socket).at(-1)]).toEqual([
    [1, 2, 3],
    3,
    { view: 8, epoch: 'e1', offset: 3 },
  ]);
});

it('says it of more inboxes than a command may name', async () => {
  const h = harness();
  const socket = await h.arrive();
  for (let n = 0; n < 1_200; n++) h.client.subscribe(`user:${n}`, () => undefined);
  await settled();
  let view = 0;
  for (const frame of socket.frames) {
    if (frame.kind !== 'subscribe') continue;
    const results = frame.subscriptions.map(({ topic }) => ({
      topic,
      view: ++view,
      mode: 'stream' as const,
      epoch: 'e1',
      offset: 0,
      inbox: true as const,
    }));
    socket.push({ kind: 'subscribed', results }, frame.id);
  }
  for (let each = 1; each <= view; each++) socket.push(batch(1, each));
  await h.runtime.advance(1_000);
  expect(acks(socket)).toHaveLength(1_200);
});
