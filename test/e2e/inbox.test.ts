import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { JsonClient } from '../support/json-client.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { publicationsOf, SseClient } from '../support/sse-client.ts';
import { newFolder } from '../support/temporary.ts';
import { signToken, tokenSecret } from '../support/tokens.ts';

let folder: string;
let gateway: GatewayProcess;
/** Another one in each test. */
let user: string;
let topic: string;
let token: string;
let users = 0;

async function start(): Promise<void> {
  const flags = ['--port', '0', '--engine', 'lmdb', '--data-dir', folder, '--token-secret', tokenSecret];
  gateway = await GatewayProcess.start(...flags);
}

beforeAll(async () => {
  folder = newFolder();
  await start();
});
afterAll(() => gateway.kill());
beforeEach(async () => {
  user = `alice${++users}@example.org`;
  topic = `user:${user}`;
  token = await signToken({ sub: user });
});

async function notify(data: unknown): Promise<void> {
  const answer = await fetch(`${gateway.url}/api/users/${encodeURIComponent(user)}/notify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ data }),
  });
  expect(answer.status).toBe(200);
}

const url = () => `${gateway.url.replace('http', 'ws')}/ws?token=${token}`;

/** A client that acknowledges only what it is told to, and its subscription to its own topic. */
async function device() {
  const client = await ProtobufClient.open(url());
  const { results } = await client.kind('subscribed');
  const own = results.find((result) => result.topic === topic);
  if (own === undefined || 'error' in own) throw new Error('it was not subscribed');
  return { client, own };
}

/** Where a client begins that says nothing of that: after what the user has had. */
async function startsAt(): Promise<number> {
  const { client, own } = await device();
  client.socket.terminate();
  return own.offset;
}

/** A stream that says with `acks` whether it acknowledges by itself, and the subscription to its own topic. */
async function streamOf(acks: boolean) {
  const client = await SseClient.open({
    port: Number(new URL(gateway.url).port),
    path: `/sse?acks=${acks}&token=${token}`,
  });
  await client.until(() => client.of('subscribed').length > 0);
  const [{ session }] = client.of('connected') as [{ session: string }];
  const [{ results }] = client.of('subscribed') as [
    { results: { topic: string; view: number; inbox?: boolean }[] },
  ];
  const own = results.find((result) => result.topic === topic);
  return { client, session, view: own?.view, inbox: own?.inbox };
}

const acknowledge = (session: string, acks: unknown, credential = token) =>
  fetch(`${gateway.url}/api/connections/${session}/acks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${credential}` },
    body: JSON.stringify({ acks }),
  });

async function poll(cursor = '') {
  const answer = await fetch(`${gateway.url}/poll?timeoutSeconds=0&cursor=${cursor}&token=${token}`);
  const { events = [] } =
    answer.status === 200 ? ((await answer.json()) as { events?: Record<string, unknown>[] }) : {};
  const had = events.flatMap(publicationsOf).map(({ data }) => data);
  return { had, cursor: answer.headers.get('sluice-cursor') ?? '' };
}

it('an EventSource has had what left the gateway, a poll what came before the next one; both outlive a crash', async () => {
  await notify('first');
  const { client: stream } = await streamOf(false);
  await stream.until(() => stream.publications.length === 1);
  await expect.poll(startsAt).toBe(1);
  stream.close();
  await notify('second');
  const first = await poll();
  expect(first.had).toEqual(['second']);
  expect(await startsAt()).toBe(1);
  await poll(first.cursor);
  expect(await startsAt()).toBe(2);
  await notify('third');
  await gateway.kill();
  await start();
  // The first answer may come before what was kept has been read.
  const begun = await poll();
  expect([...begun.had, ...(await poll(begun.cursor)).had]).toEqual(['third']);
});

it('a stream that acknowledges by itself has had what it says, by a request of its own user alone', async () => {
  const { client: stream, session, view, inbox } = await streamOf(true);
  expect(inbox).toBe(true);
  for (const data of ['first', 'second', 'third']) await notify(data);
  await stream.until(() => stream.publications.length === 3);
  const other = await signToken({ sub: 'bob' });
  expect((await acknowledge(session, [{ view, offset: 3 }], other)).status).toBe(404);
  expect((await acknowledge('none', [{ view, offset: 3 }])).status).toBe(404);
  expect((await acknowledge(session, [])).status).toBe(400);
  expect((await acknowledge(session, [{ view, offset: 4 }])).status).toBe(200);
  expect(await startsAt()).toBe(0);
  expect((await acknowledge(session, [{ view, offset: 2 }])).status).toBe(200);
  expect(await startsAt()).toBe(2);
  const { lastEventId } = stream.parser;
  stream.close();
  // The application may not have had all up to the cursor of a stream that acknowledges by itself.
  const path = `/sse?acks=true&cursor=${lastEventId}&token=${token}`;
  const next = await SseClient.open({ port: Number(new URL(gateway.url).port), path });
  await next.until(() => next.of('subscribed').length > 0);
  expect(await startsAt()).toBe(2);
  next.close();
});

it('what a user has had and has not had is known after the gateway was killed', async () => {
  await notify('first');
  await notify('second');
  const { client, own } = await device();
  expect([own.inbox, own.recovered, own.offset]).toEqual([true, true, 0]);
  await client.call('ping', { acks: [{ view: own.view, offset: 2 }] });
  client.socket.terminate();
  // What is committed after an acknowledgement has it committed, too.
  await notify('third');
  await gateway.kill();
  await start();
  const old = await JsonClient.open(url());
  expect((await old.count(topic, 1)).map(({ data, offset }) => [data, offset])).toEqual([['third', 3]]);
  await old.close();
});

it('what a client without offsets was sent counts a moment after it has left the gateway', async () => {
  await notify('first');
  const old = await JsonClient.open(url());
  await old.count(topic, 1);
  await expect.poll(startsAt).toBe(1);
  await old.close();
  await notify('second');
  const next = await JsonClient.open(url());
  expect((await next.count(topic, 1)).map(({ data }) => data)).toEqual(['second']);
  await next.close();
});
