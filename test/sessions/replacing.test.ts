import { describe, expect, test } from 'vitest';
import type { Codec } from '../../src/protocol/codec.ts';
import { codecs } from '../../src/protocol/codecs.ts';
import { makeGateway, user } from './fixtures.ts';

/** Alice, whom the gateway has subscribed to her topic and to `$all`. She has been sent two publications of each. */
async function subscribed(codec: Codec) {
  const gateway = await makeGateway();
  const { turns, settle, publish } = gateway;
  const { connection, command } = gateway.connect(user('alice'), codec);
  await settle();
  for (const topic of ['user:alice', '$all']) for (let i = 0; i < 2; i++) await publish(topic);
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
    describe.each(['user:alice', '$all'])('(%s)', (topic) => {
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
        subscribe(topic);
        await settle();
        connection.stalled = false;
        connection.drain();
        await settle();
        await publish(topic);
        await settle();
        expect(new Set(had(topic))).toEqual(new Set([1, 2, 3, 4]));
        if (codec === codecs.json) expect(had(topic)).toEqual([1, 2, 3, 4]);
      });

      test('lacks nothing of what was published and not sent yet', async () => {
        const { publish, subscribe, settle, had } = await subscribed(codec);
        await publish(topic);
        subscribe(topic);
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
