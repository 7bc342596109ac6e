import { describe, expect, test } from 'vitest';
import { of, tight, to } from './case.ts';
import { NodeEngine } from './engine.ts';
import { World } from './world.ts';

/**
 * What was published and dropped, with its numbering, while a gateway was away: its live clients are told. The world's
 * own checks say so of the SDK; of the others that they have come back.
 */
describe.each([
  ['the SDK by WebSocket', 'sdk', 0],
  ['the SDK by a stream', 'sdk', 1],
  ['the SDK by polls', 'sdk', 2],
  ['WebSocket', 'websocket', 0],
  ['a stream', ['sse'], 0],
  ['polls', ['poll'], 0],
] as const)('by %s', (_, transports, roams) => {
  test.each([
    ['a', 'a'],
    ['p:*', 'p:1'],
    ['q:*', 'q:1'],
    ['m', 'm'],
    // Its numbering is kept, as the other gateway has clients of it.
    ['$all', '$all'],
  ] as const)(
    'a client of %s at a gateway that was away while it came and went is told of it',
    async (target, topic) => {
      const options = { ...tight, kernelBytes: 8192, backpressureMaxBytes: 100_000, numberingsMax: 0 };
      const world = new World(options, transports, 2);
      await world.open();
      // By the first gateway, so that the next is published by the other one.
      world.publish([to('b')]);
      const client = world.client(0);
      for (let i = 0; i < roams; i++) client.roam();
      client.connect();
      client.subscribe([of(target)], { at: 'end' });
      await world.gateway.quiet();
      const { engine } = world.gateway;
      if (!(engine instanceof NodeEngine)) throw new Error('no node');
      const before = client.session;
      engine.node.away();
      world.publish([to(topic, { key: 'k', removed: true })]);
      await world.gateway.advance(70_000);
      // Its numbering is dropped with the next commit.
      world.publish([to('b'), to('b')]);
      await world.gateway.advance(1000);
      await engine.node.recover();
      await world.settle();
      if (target !== '$all') expect(client.session).not.toBe(before);
    },
  );
});
