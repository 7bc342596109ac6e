import { afterAll, beforeAll, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { Granted, Subscription, WireError } from '../../src/protocol/frames.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';

/** Of five publications the history keeps three. */
const [newest, reach] = [5, 2];

type Result = Partial<Granted> & { readonly error?: WireError };
type Ask = (subscription: Subscription) => Promise<Result>;

let gateway: TestGateway;
let epoch = '';
const cursors = new Map<string, string>();
const ends: (() => void)[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    topicHistoryMaxPublications: newest - reach,
    commandsPerSecond: 100_000,
    handshakesPerSecondPerIp: 100_000,
    httpRequestsPerSecondPerIp: 100_000,
  });
  const ask = await byWebSocket();
  for (let i = 1; i <= newest; i++) {
    const reply = await gateway.post('/api/publish', JSON.stringify({ topic: 'p:1', type: 'e', data: i }));
    ({ epoch } = (await reply.json()) as { epoch: string });
    if (i === 1) cursors.set('of what is gone', (await ask({ topic: 'p:1' })).cursor as string);
  }
  cursors.set('of now', (await ask({ topic: 'p:1' })).cursor as string);
  cursors.set('of another numbering', 'another.9');
});
afterAll(async () => {
  for (const end of ends) end();
  await gateway.close();
});

async function byWebSocket(): Promise<Ask> {
  const socket = new WebSocket(gateway.wsUrl);
  ends.push(() => socket.close());
  const replies = new Map<number, (frame: { readonly results: readonly Result[] }) => void>();
  socket.on('message', (text) => {
    const frame = JSON.parse(String(text)) as { readonly id?: number; readonly results: readonly Result[] };
    replies.get(frame.id ?? 0)?.(frame);
  });
  await new Promise((resolve) => socket.once('open', resolve));
  let id = 0;
  const command = (fields: object) =>
    new Promise<{ readonly results: readonly Result[] }>((resolve) => {
      replies.set(++id, resolve);
      socket.send(JSON.stringify({ ...fields, id }));
    });
  return async (subscription) => {
    const { results } = await command({ type: 'subscribe', subscriptions: [subscription] });
    await command({ type: 'unsubscribe', topics: [subscription.topic] });
    return results[0] as Result;
  };
}

const isReply = ({ type }: { readonly type: string }) => type === 'subscribed';

const byPoll: Ask = async (subscription) => {
  const body = JSON.stringify({ subscriptions: [subscription], timeoutSeconds: 0 });
  const response = await gateway.post('/poll', body);
  if (!response.ok) return (await response.json()) as Result;
  type Frame = { readonly type: string; readonly results: readonly Result[] };
  const { events } = (await response.json()) as { readonly events: readonly Frame[] };
  return events.filter(isReply)[1]?.results[0] as Result;
};

const bySse: Ask = async (subscription) => {
  const response = await gateway.post('/sse', JSON.stringify({ subscriptions: [subscription] }));
  if (!response.ok) return (await response.json()) as Result;
  let text = '';
  for await (const piece of response.body ?? []) {
    text += Buffer.from(piece).toString();
    const replies = [...text.matchAll(/^event: subscribed\ndata: (.*)\n/gm)];
    if (replies[1] === undefined) continue;
    const { results } = JSON.parse(replies[1][1] as string) as { readonly results: readonly Result[] };
    return results[0] as Result;
  }
  throw new Error('no reply');
};

const sinces: Readonly<Record<string, () => Subscription['since']>> = {
  none: () => undefined,
  'of the newest': () => ({ epoch, offset: newest }),
  'within reach': () => ({ epoch, offset: 3 }),
  'of what is gone': () => ({ epoch, offset: 1 }),
  'never reached': () => ({ epoch, offset: 9 }),
  'of an empty topic': () => ({ epoch: '', offset: 0 }),
  'of another numbering': () => ({ epoch: 'another', offset: 3 }),
};
const cursorNames = ['none', 'of now', 'of what is gone', 'of another numbering'];
const lasts = [undefined, 2, 9];

const fromReach = { recovered: false, offset: reach };
const allBefore = { after: 0, upto: reach };

/** The right answer for the topic. */
function ofTopic(since: string, cursor: string, last: number | undefined): Result {
  if (since !== 'none' && last !== undefined) return refused;
  switch (since) {
    case 'of the newest':
      return { recovered: true, offset: newest };
    case 'within reach':
      return { recovered: true, offset: 3 };
    case 'of what is gone':
      return { ...fromReach, missing: { after: 1, upto: reach } };
    case 'never reached':
      return { recovered: false, offset: newest };
    case 'of an empty topic':
      return cursor === 'of another numbering' ? fromReach : { ...fromReach, missing: allBefore };
    case 'of another numbering':
      // A valid cursor says that the client has had all of that numbering.
      return cursor.startsWith('of now') || cursor.endsWith('gone')
        ? { ...fromReach, missing: allBefore }
        : fromReach;
  }
  switch (cursor) {
    case 'of now':
      return { recovered: true, offset: newest };
    case 'of what is gone':
      return { ...fromReach, missing: allBefore };
    case 'of another numbering':
      return fromReach;
  }
  return { recovered: undefined, offset: last === undefined ? newest : Math.max(reach, newest - last) };
}

/** The right answer for the pattern. Losses are named topic by topic afterwards. */
function ofPattern(since: string, cursor: string, last: number | undefined): Result {
  if (since !== 'none') return refused;
  if (cursor !== 'none') return { recovered: cursor !== 'of another numbering' };
  return {
    recovered: undefined,
    topics: [{ topic: 'p:1', epoch, mode: 'stream', ...ofTopic(since, cursor, last) }] as never,
  };
}

function whatCounts({ error, offset, recovered, missing, topics }: Result, isPattern: boolean) {
  return { error: error?.code, recovered, missing, topics, offset: isPattern ? undefined : offset };
}

const refused = { error: { code: 'invalid_request' } as WireError };

const all = ['p:1', 'p:*'].flatMap((topic) =>
  Object.keys(sinces).flatMap((since) =>
    cursorNames.flatMap((cursor) => lasts.map((last) => ({ topic, since, cursor, last }))),
  ),
);

it.each([
  ['WebSocket', byWebSocket],
  ['Server-Sent Events', async () => bySse],
  ['polls', async () => byPoll],
] as const)('says by %s what a client has missed, whatever it says of where it was', async (_, open) => {
  const ask = await open();
  const answers: unknown[] = [];
  const right: unknown[] = [];
  for (const { topic, since, cursor, last } of all) {
    const subscription = { topic, since: sinces[since]?.(), cursor: cursors.get(cursor), last };
    const row = { topic, since, cursor, last };
    const isPattern = topic !== 'p:1';
    answers.push({ ...row, ...whatCounts(await ask(subscription), isPattern) });
    right.push({
      ...row,
      ...whatCounts((isPattern ? ofPattern : ofTopic)(since, cursor, last), isPattern),
    });
  }
  expect(answers).toEqual(right);
});
