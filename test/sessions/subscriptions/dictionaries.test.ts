import { expect, test } from 'vitest';
import { eagerCompression } from '../../fanout/fixtures.ts';
import { codecs } from '../../support/codecs.ts';
import { range } from '../../support/numbers.ts';
import { json } from '../../topics/fixtures.ts';
import { type FakeConnection, type GatewayOptions, makeGateway } from '../fixtures.ts';

const able = { codec: codecs.protobuf, capabilities: ['dictionary'] };
const unable = { codec: codecs.protobuf, capabilities: [] };
const inJson = { codec: codecs.json, capabilities: ['dictionary'] };

/** It stays with the first one. */
const once = { ...eagerCompression.dictionaries, trialBatches: 1_000_000 };

/** A gateway that makes dictionaries as often as it can. */
async function gateway(options: GatewayOptions = {}) {
  const made = await makeGateway({ ...eagerCompression, ...options });
  const join = async ({ codec, capabilities } = able, topics = ['a']) => {
    const client = made.connect(undefined, codec);
    client.command({ kind: 'connect', id: 1, capabilities });
    client.command({ kind: 'subscribe', id: 2, subscriptions: topics.map((topic) => ({ topic })) });
    await made.settle();
    return client;
  };
  let published = 0;
  /** Each in a batch of its own. Another shape makes the dictionary a bad one. */
  const send = async (count: number, shape = 'metrics') => {
    for (let i = 0; i < count; i++) {
      await made.publish('a', {
        payload: json({ [`${shape}Host`]: 'web-01', [`${shape}Load`]: published++ }),
      });
      made.turns.advance(20);
    }
  };
  return { ...made, join, send };
}

function heard(connection: FakeConnection): number[] {
  return connection.of('batch').flatMap(({ publications }) => publications.map(({ offset }) => offset));
}

const numbers = (connection: FakeConnection) =>
  connection.of('dictionary').map(({ dictionary }) => dictionary);

test('clients of all kinds hear the same, each in its own way', async () => {
  const { join, send } = await gateway();
  const clients = [await join(able), await join(unable), await join(inJson), await join(able)];
  await send(30);
  expect(clients.map(({ connection }) => heard(connection))).toEqual(clients.map(() => range(0, 30)));
  expect(clients.map(({ connection }) => numbers(connection).length > 0)).toEqual([true, false, false, true]);
  const used = clients.map(({ connection }) => connection.of('batch').at(-1)?.compressed?.dictionary ?? 0);
  const current = numbers(clients[0]!.connection).at(-1);
  expect(used).toEqual([current, 0, 0, current]);
});

test('a client that joins later is sent the dictionary after the reply, before the first batch', async () => {
  const { join, send } = await gateway({ dictionaries: once });
  const first = await join();
  await send(20);
  const late = await join();
  const current = numbers(first.connection).at(-1);
  expect(late.connection.frames().slice(-2)).toMatchObject([
    { kind: 'subscribed', id: 2 },
    { kind: 'dictionary', dictionary: current },
  ]);
  await send(1);
  expect(late.connection.of('batch')).toMatchObject([
    { after: 20, upto: 21, compressed: { dictionary: current } },
  ]);
});

test('catching up uses no dictionary, and the dictionary follows it', async () => {
  const { join, send, connect, settle } = await gateway();
  await join();
  await send(20);
  const late = connect();
  late.command({ kind: 'connect', id: 1, capabilities: ['dictionary'] });
  late.command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'a', last: 15 }] });
  await settle();
  const kinds = late.connection
    .frames()
    .slice(-2)
    .map(({ kind }) => kind);
  expect(kinds).toEqual(['batch', 'dictionary']);
  expect(late.connection.of('batch')).toMatchObject([{ after: 5, upto: 20, compressed: undefined }]);
});

test('a client that lost frames is sent the dictionary that came meanwhile, before it is live again', async () => {
  const { join, send } = await gateway({ backpressureMaxBytes: 300 });
  const [slow, quick] = [await join(), await join()];
  await send(10);
  const before = numbers(slow.connection).at(-1) as number;
  slow.connection.stalled = true;
  await send(10, 'another-shape');
  expect(numbers(quick.connection).at(-1)).toBeGreaterThan(before);
  expect(slow.session.views.isLagging).toBe(true);
  slow.connection.stalled = false;
  slow.connection.drain();
  await send(5, 'another-shape');
  expect(heard(slow.connection)).toEqual(range(0, 25));
  expect(heard(quick.connection)).toEqual(range(0, 25));
  expect(slow.connection.of('batch').at(-1)?.compressed?.dictionary).toBe(numbers(quick.connection).at(-1));
});

test('a client that lost the dictionary itself is sent it again', async () => {
  const { join, send, sink } = await gateway();
  const [slow, quick] = [await join(), await join()];
  const { connection } = slow;
  const receive = connection.receive.bind(connection);
  const lossy = new Set<number>();
  // With a frame the rest of its turn is lost.
  connection.receive = (bytes) => {
    if (sink.frames.at(-1)?.feed === undefined) lossy.add(sink.turns);
    if (lossy.has(sink.turns)) connection.onDrop();
    else receive(bytes);
  };
  await send(10);
  await send(20, 'another-shape');
  expect(lossy.size).toBeGreaterThan(1);
  expect(numbers(connection)).toEqual(numbers(quick.connection));
  expect(heard(connection)).toEqual(range(0, 30));
});

test('a client that returns with the dictionary is not sent it again', async () => {
  const { join, send, turns } = await gateway({
    backpressureMaxBytes: 300,
    dictionaries: once,
  });
  const quick = await join();
  await send(10);
  const late = await join();
  for (let times = 0; times < 3; times++) {
    late.connection.stalled = true;
    await send(20);
    expect(late.session.views.isLagging).toBe(true);
    late.connection.stalled = false;
    late.connection.drain();
    turns.settle();
  }
  await send(1);
  expect([numbers(quick.connection), numbers(late.connection)]).toEqual([[1], [1]]);
  expect(heard(late.connection)).toEqual(range(10, 71));
});

test('a subscription of a client that can takes the place of the one that the gateway made before it knew', async () => {
  const { join } = await gateway();
  const { connection, session } = await join(able, ['$all']);
  const [reply] = connection.replies(2);
  const results = reply?.kind === 'subscribed' ? reply.results : [];
  expect(results).toMatchObject([{ topic: '$all', epoch: '', offset: 0 }]);
  expect([...session.views.values()].map(({ target }) => target)).toEqual(['$all']);
});

test('the same subscription is the same, though the client said only later what it can', async () => {
  const { connect, settle } = await gateway();
  const { connection, command } = connect();
  command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }] });
  command({ kind: 'connect', id: 2, capabilities: ['dictionary'] });
  command({ kind: 'subscribe', id: 3, subscriptions: [{ topic: 'a' }] });
  await settle();
  expect(connection.replies(3)).toMatchObject([{ results: [{ error: { code: 'already_subscribed' } }] }]);
});

test('a dictionary ends with its view', async () => {
  const { join, send, settle } = await gateway();
  const first = await join();
  await send(20);
  const [view] = [...first.session.views.values()].filter(({ target }) => target === 'a');
  expect(view?.view.dictionary).toBeDefined();
  first.command({ kind: 'unsubscribe', id: 9, topics: ['a'] });
  await settle();
  const second = await join();
  expect(second.connection.of('dictionary')).toEqual([]);
  await send(20);
  expect(numbers(second.connection)[0]).toBe(1);
  expect(heard(second.connection)).toEqual(range(20, 40));
});
