import { describe, expect, test } from 'vitest';
import { localIdentity } from '../../../src/auth/identity.ts';
import { compatCodec } from '../../../src/compat/codec.ts';
import { serverMonitoring } from '../../../src/compat/server-monitoring.ts';
import { utf8 } from '../../../src/protocol/utf8.ts';
import type { Codec } from '../../support/codecs.ts';
import { codecs } from '../../support/codecs.ts';
import { json } from '../../topics/fixtures.ts';
import { makeGateway, user } from '../fixtures.ts';

/** Alice, whom the gateway has subscribed to her topic, `$all` and `room:*`, and sent two publications of each. */
async function subscribed(codec: Codec) {
  const gateway = await makeGateway();
  const { turns, settle, publish } = gateway;
  const { connection, command } = gateway.connect(user('alice', { joins: ['room:*'] }), codec);
  await settle();
  for (const topic of ['user:alice', '$all', 'room:1']) for (let i = 0; i < 2; i++) await publish(topic);
  await settle();
  // From then on each publication goes out in its turn.
  turns.advance(100);
  return {
    turns,
    settle,
    publish,
    connection,
    subscribe: (...topics: string[]) =>
      command({ kind: 'subscribe', id: 1, subscriptions: topics.map((topic) => ({ topic })) }),
    /** Offsets, each once. */
    had: (topic: string) => {
      const batches = connection.of('batch');
      const views = connection
        .of('subscribed')
        .flatMap(({ results }) => results)
        .flatMap((result) => ('view' in result && result.topic === topic ? [result.view] : []));
      const ofTopic = batches.filter((batch) => batch.topic === topic || views.includes(batch.view));
      return ofTopic.flatMap(({ publications }) => publications.map(({ offset }) => offset));
    },
  };
}

describe.each([codecs.json, codecs.protobuf])(
  'a client that subscribes to its own topics, by $name',
  (codec) => {
    describe.each([
      ['user:alice', 'user:alice'],
      ['$all', '$all'],
      ['room:*', 'room:1'],
    ])('(%s)', (target, topic) => {
      test.each([
        ['a frame was dropped, and its buffer is still full', true],
        ['a frame was dropped, and its buffer has drained', false],
      ])('lacks nothing where in the same turn %s', async (_, isFull) => {
        const { connection, publish, turns, subscribe, settle, had } = await subscribed(codec);
        connection.stalled = true;
        connection.buffered = connection.limitBytes + 1;
        await publish(topic);
        turns.turn();
        if (!isFull) {
          connection.stalled = false;
          connection.drain();
        }
        subscribe(target);
        await settle();
        connection.stalled = false;
        connection.drain();
        await settle();
        turns.advance(100);
        await publish(topic);
        await settle();
        expect(new Set(had(topic))).toEqual(new Set([1, 2, 3, 4]));
        if (codec === codecs.json) expect(had(topic)).toEqual([1, 2, 3, 4]);
      });

      test('lacks nothing of what was published and not sent yet', async () => {
        const { publish, subscribe, settle, had } = await subscribed(codec);
        await publish(topic);
        subscribe(target);
        await settle();
        expect(new Set(had(topic))).toEqual(new Set([1, 2, 3]));
        if (codec === codecs.json) expect(had(topic)).toEqual([1, 2, 3]);
      });
    });

    test('goes on with those that the gateway made where a new one is refused', async () => {
      const { connection, publish, subscribe, settle, had } = await subscribed(codec);
      await publish('$all');
      subscribe('$all', '$all');
      await settle();
      await publish('$all');
      await settle();
      expect(connection.replies(1)).toMatchObject([
        { results: [{ topic: '$all' }, { error: { code: 'already_subscribed' } }] },
      ]);
      expect(had('$all')).toEqual([1, 2, 3, 4]);
    });
  },
);

describe('a pattern of all topics, which has none of `$all`,', () => {
  async function subscribedAgain(joins: readonly string[], topics: readonly string[]) {
    const { turns, settle, publish, connect } = await makeGateway();
    const { connection, command } = connect({ ...localIdentity, joins }, codecs.json);
    await publish('room:1');
    await settle();
    turns.advance(100);
    await publish('$all');
    command({ kind: 'subscribe', id: 1, subscriptions: topics.map((topic) => ({ topic })) });
    await settle();
    return connection;
  }

  test('is not what `$all` goes on after', async () => {
    const connection = await subscribedAgain(['*'], ['*', '$all']);
    const offsets = connection
      .of('batch')
      .flatMap(({ topic = '$all', publications }) => publications.map(({ offset }) => `${topic} ${offset}`));
    expect(offsets).toContain('$all 1');
  });

  test('does not go on after `$all`: the reply lists its topics', async () => {
    const connection = await subscribedAgain([], ['$all', '*']);
    expect(connection.replies(1)).toMatchObject([
      { results: [{ topic: '$all' }, { topic: '*', topics: [{ topic: 'room:1', offset: 1 }] }] },
    ]);
  });
});

test('a pattern that goes on after the one of the gateway begins with all values of its state topics', async () => {
  const { turns, settle, publish, connect } = await makeGateway();
  const { connection, command } = connect(user('alice', { joins: ['st*'] }), codecs.json);
  await settle();
  for (const topic of ['state', 'st:1']) await publish(topic, { key: 'k' });
  await settle();
  turns.advance(100);
  await publish('st:1');
  command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'st*' }] });
  await settle();
  expect(connection.of('snapshot').at(-1)).toMatchObject({ topic: 'state', publications: [{ key: 'k' }] });
  const streams = connection.of('batch').filter(({ topic }) => topic === 'st:1');
  expect(streams.flatMap(({ publications }) => publications.map(({ offset }) => offset))).toEqual([1, 2]);
});

test('a pattern that goes on while more topics wait than a cursor names repeats none of the others', async () => {
  const { turns, settle, publish, connect } = await makeGateway();
  const { connection, command } = connect(user('alice', { joins: ['room:*'] }), codecs.json);
  await settle();
  const rooms = Array.from({ length: 60 }, (_, i) => `room:${i}`);
  const publishAll = async () => {
    for (const room of rooms) await publish(room);
  };
  await publishAll();
  await settle();
  turns.advance(100);
  await publishAll();
  for (let i = 0; i < 4; i++) turns.turn();
  await publishAll();
  await publish('room:quiet');
  for (let i = 0; i < 2; i++) turns.turn();
  const had = () =>
    connection
      .of('batch')
      .flatMap(({ topic, publications }) => publications.map(({ offset }) => `${topic} ${offset}`));
  expect(had().filter((each) => each === 'room:quiet 1' || each === 'room:0 3')).toEqual(['room:quiet 1']);
  command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'room:*' }] });
  await settle();
  const published = rooms.flatMap((room) => [1, 2, 3].map((offset) => `${room} ${offset}`));
  expect(had().toSorted()).toEqual([...published, 'room:quiet 1'].toSorted());
});

describe('a client of server monitoring that subscribes again, with a filter', () => {
  const one = { server_ids: ['1'] };
  const both = { server_ids: ['2', '1'] };
  const filter = { alert_levels: ['high'] };

  async function monitored(before: object) {
    const { turns, settle, publish, connect, sessions } = await makeGateway();
    const codec = compatCodec('a', serverMonitoring({ namespace: 'server', now: () => '' }));
    const { connection, session } = connect(user('panel'), codec as unknown as Codec);
    const subscribe = (data: object) =>
      sessions.receive(session, utf8(JSON.stringify({ type: 'subscribe', data })), false);
    let count = 0;
    const update = (server: string) =>
      publish(`server:${server}`, { tags: { level: 'high' }, payload: json({ n: ++count }) });
    subscribe(before);
    await settle();
    for (const server of ['1', '1', '2']) await update(server);
    await settle();
    turns.advance(100);
    const had = () =>
      connection.messages.flatMap((message) => {
        const { data } = JSON.parse(Buffer.from(message).toString()) as { data: { n?: number } };
        return data.n ?? [];
      });
    connection.forget();
    return { connection, subscribe, settle, turns, update, had };
  }

  const changes: [string, object, object][] = [
    ['a server', one, one],
    ['all servers', {}, {}],
    ['a server, then all', one, {}],
    ['all servers, then two', {}, both],
  ];

  test.each(changes)('lacks nothing that was published and not sent yet: %s', async (_, before, after) => {
    const { subscribe, settle, update, had } = await monitored(before);
    await update('1');
    subscribe({ ...after, ...filter });
    await settle();
    await update('1');
    await settle();
    expect(had()).toEqual([4, 5]);
  });

  test.each(changes)(
    'lacks nothing of what was dropped, its buffer being full: %s',
    async (_, before, after) => {
      const { connection, subscribe, settle, turns, update, had } = await monitored(before);
      connection.stalled = true;
      connection.buffered = connection.limitBytes + 1;
      await update('1');
      turns.turn();
      subscribe({ ...after, ...filter });
      await settle();
      await update('1');
      connection.stalled = false;
      connection.drain();
      await settle();
      expect(had()).toEqual([4, 5]);
    },
  );
});
