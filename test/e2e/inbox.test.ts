import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { JsonClient } from '../support/json-client.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { signToken, tokenSecret } from '../support/tokens.ts';

const topic = 'user:alice@example.org';
let folder: string;
let gateway: GatewayProcess;
let token: string;

async function start(): Promise<void> {
  const flags = ['--port', '0', '--engine', 'lmdb', '--data-dir', folder, '--token-secret', tokenSecret];
  gateway = await GatewayProcess.start(...flags);
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-inbox-'));
  token = await signToken({ sub: 'alice@example.org' });
  await start();
});
afterEach(async () => {
  await gateway.kill();
  rmSync(folder, { recursive: true });
});

async function notify(data: unknown): Promise<void> {
  const answer = await fetch(`${gateway.url}/api/users/${encodeURIComponent('alice@example.org')}/notify`, {
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
  const startsAt = async () => {
    const { client, own } = await device();
    client.socket.terminate();
    return own.offset;
  };
  await expect.poll(startsAt).toBe(1);
  await old.close();
  await notify('second');
  const next = await JsonClient.open(url());
  expect((await next.count(topic, 1)).map(({ data }) => data)).toEqual(['second']);
  await next.close();
});
