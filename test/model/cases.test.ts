import { describe, expect, test } from 'vitest';
import { many, of, roomy, tight, to } from './case.ts';
import { NodeEngine } from './engine.ts';
import type { GatewayOptions } from './gateway.ts';
import { promises } from './loop.ts';
import type { Fields } from './published.ts';
import { SdkClient } from './sdk-client.ts';
import type { LogNode } from './shared-log.ts';
import type { Spec } from './subscription.ts';
import { World } from './world.ts';

/**
 * What the random lives found, as short as it gets; and what they find too rarely. Each ends with the world's own
 * checks.
 */

const end = { at: 'end' } as const;

async function live(options: GatewayOptions, ...specs: Spec[]): Promise<World> {
  const world = new World(options);
  world.client(0).subscribe(specs, end);
  await world.gateway.quiet();
  return world;
}

/** What is published, and has come to all that hear it. */
async function told(world: World, ...publications: Fields[]): Promise<void> {
  world.publish(publications);
  await world.gateway.quiet();
}

async function left(world: World): Promise<void> {
  world.client(0).disconnect();
  await world.gateway.turn();
}

const elapse = ({ gateway: { loop } }: World, ms: number) => loop.moveTo(loop.nowMs() + ms);
const high = { level: 'high' };

test.each([
  ['p:*', '*'],
  ['*', 'p:*'],
  ['p:*', 'p:1'],
  ['p:1', 'p:*'],
  ['p:*', 'p:1*'],
] as const)(
  'a stream of %s lags, and its client loses nothing as it goes on with %s',
  async (before, after) => {
    for (const transport of ['sse', 'poll'] as const) {
      const world = new World({ ...roomy, backpressureMaxBytes: 800 }, [transport]);
      const client = world.client(0);
      client.subscribe([of(before, { intervalMs: 5000 }), of('b')], end);
      client.connect();
      for (let i = 0; i < 3; i++) {
        await world.gateway.advance(50);
        world.publish([to('p:1'), to('b')]);
      }
      await world.gateway.advance(50);
      client.exchange?.([of(after)]);
      await world.settle();
    }
  },
);

test.each(['sse', 'poll'] as const)(
  'a topic that came and went with its numbering before a pattern was caught up is named, by %s',
  async (transport) => {
    const options = { ...roomy, topicHistoryMaxAgeMs: 300, numberingsMax: 0, turnBudgetMs: 0 };
    const world = new World(options, [transport]);
    world.client(0).connect();
    world.client(0).subscribe([of('p:*')], end);
    await world.gateway.advance(600);
    await world.gateway.turn();
    world.publish([to('p:1')]);
    await world.gateway.advance(600);
    await world.settle();
  },
);

test('a topic of a pattern that is gone when the client returns is named', async () => {
  const world = await live(roomy, of('p:*'));
  await told(world, ...many(5, to('p:1')));
  await world.restart();
  await world.settle();
});

test('a state topic begins with its snapshot, though a client asks for the last publication', async () => {
  const world = new World(roomy);
  world.publish([to('m', { key: 'k1' }), to('m', { key: 'k2' })]);
  world.client(0).subscribe([of('m')], { at: 'last', count: 1 });
  await world.settle();
});

test('the empty coverage of an excepted session does not overtake what its full buffer lost', async () => {
  const world = await live(tight, of('a'));
  world.publish([...many(40, to('a')), to('a', { except: world.client(0).session })]);
  await world.settle();
});

test('with conflation, a publication that does not match hides none that does', async () => {
  const world = await live(roomy, of('a', { filter: 0, conflate: true, intervalMs: 100 }));
  world.publish([to('a', { key: 'k1', tags: high }), to('a', { key: 'k1' })]);
  await world.settle();
});

test('with conflation, a publication that expires in a frame that the client loses hides none that lives', async () => {
  const world = await live(tight, of('a', { conflate: true, intervalMs: 500 }));
  await told(world, to('a', { key: 'k1' }));
  world.publish([
    to('a', { key: 'k1' }),
    ...many(3, to('a', { size: 100 })),
    ...many(20, to('a', { size: 300 })).map((each, i) => ({ ...each, key: `l${i}` })),
    to('a', { key: 'k1', ttlMs: 20 }),
  ]);
  await world.settle();
});

test('a client that drained between a loss and its report is caught up', async () => {
  const world = await live({ ...tight, kernelBytes: 2000 }, of('a'));
  world.publish(many(120, to('a')));
  await world.settle();
});

test('a client that was excepted from the value that removed a key from its filter is sent the removal later', async () => {
  const world = await live(roomy, of('m', { filter: 0 }));
  await told(world, to('m', { key: 'k1', tags: high }));
  await told(world, to('m', { key: 'k1', except: world.client(0).session }));
  world.publish([to('m', { key: 'k1' })]);
  await world.settle();
});

test('a client that was excepted from the removal of a key is sent it with the next value that it filters out', async () => {
  const world = await live(roomy, of('m', { filter: 0 }));
  await told(world, to('m', { key: 'k1', tags: high }));
  await told(world, to('m', { key: 'k1', tags: high, removed: true, except: world.client(0).session }));
  world.publish([to('m', { key: 'k1' })]);
  await world.settle();
});

test('a client that reads slowly is not cut off because its buffer was emptier once', async () => {
  const world = new World({ ...tight, batchMaxBytes: 65_536 });
  world.client(1).subscribe([of('a'), of('q:1')], end);
  world.publish(many(45, to('a')));
  await world.gateway.advance(35_000);
  await world.settle();
});

test('a key is taken away though its value had expired when the first subscriber came back', async () => {
  const world = await live(roomy, of('m', { filter: 0 }));
  await told(world, to('m', { key: 'k1', tags: high, ttlMs: 20 }));
  await left(world);
  elapse(world, 20);
  world.client(0).connect();
  await world.gateway.turn();
  world.publish([to('m', { key: 'k1' })]);
  await world.settle();
});

test('a key is taken away by what has expired when it is caught up', async () => {
  const world = await live(roomy, of('m', { filter: 0 }));
  await told(world, to('m', { key: 'k1', tags: high }));
  await left(world);
  world.publish([to('m', { key: 'k1', ttlMs: 20 })]);
  elapse(world, 20);
  world.client(0).connect();
  await world.settle();
});

test('the first publications of a topic that is new to a pattern are lost with their epoch, and named with it', async () => {
  const world = await live(tight, of('*'), of('a'));
  world.publish(many(20, to('a')));
  await world.settle();
});

test('a pattern is told of a reset before it is told of the topic', async () => {
  const world = await live(roomy, of('*'));
  world.publish([to('a')]);
  world.reset('a', 0);
  await world.settle();
});

test('what was lost is not counted as delivered, though the subscription ended meanwhile', async () => {
  const world = await live(tight, of('a'));
  world.publish(many(45, to('a')));
  await world.gateway.turn();
  world.client(0).unsubscribe(0);
  await world.settle();
});

/** Two clients that hear `a`, and a dictionary of it. */
async function withDictionary(options: GatewayOptions): Promise<World> {
  const world = new World({ ...options, compresses: true });
  for (const pick of [0, 2]) world.client(pick).subscribe([of('a')], end);
  await world.gateway.quiet();
  await publishApart(world, 5, 40);
  return world;
}

/** Each in a batch of its own. */
async function publishApart(world: World, count: number, size: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await told(world, to('a', { size: size + i }));
    await world.gateway.advance(10);
  }
}

test('a client that comes back is sent the dictionary that others have', async () => {
  const world = await withDictionary(roomy);
  await left(world);
  world.client(0).connect();
  await world.gateway.quiet();
  await publishApart(world, 5, 40);
  await world.settle();
});

test('a member that lost a dictionary with other frames is sent it before it is live again, each time', async () => {
  const world = await withDictionary(tight);
  for (let size = 150; size < 250; size += 25) {
    world.client(0).read(0);
    await publishApart(world, 20, size);
    world.client(0).read(Number.POSITIVE_INFINITY);
    await publishApart(world, 2, size);
  }
  await world.settle();
});

test('a topic that came and went in a numbering that began meanwhile is told to a cursor of an engine that went back', async () => {
  const world = await live({ ...tight, isSlowEngine: true }, of('*'));
  world.publish(many(5, to('m')));
  await world.gateway.turn();
  world.gateway.engine.commitAll();
  world.reset('m', 0);
  await world.gateway.advance(1);
  world.publish([to('m', { removed: true }), to('a')]);
  world.client(0).unsubscribe(0);
  await world.gateway.advance(35_000);
  world.gateway.engine.commitAll();
  await world.gateway.advance(35_000);
  world.client(0).takeUp(0);
  world.publish([to('m'), to('a')]);
  await world.settle();
});

test('two subscriptions of a stream to one pattern, with other options, go on where each of them was', async () => {
  const world = new World({ ...tight, batchMaxPublications: 1 }, ['poll']);
  world.client(0).subscribe([of('p:*'), of('p:*', { conflate: true })], end);
  await world.gateway.advance(1);
  await world.gateway.turn();
  world.publish(many(5, to('p:1')));
  await world.gateway.advance(2500);
  world.client(0).subscribe([of('a')], end);
  await world.gateway.advance(2500);
  await world.settle();
});

test.each(['a', 'p:*'])(
  'what a gateway misses of a topic that was empty is named to subscribers of %s',
  async (target) => {
    const world = new World(tight, 'websocket', 2);
    await world.open();
    world.client(1).subscribe([of(target)], end);
    await world.gateway.quiet();
    const node = nodeOf(world, 1);
    node.away();
    world.publish(many(10, to(target === 'a' ? 'a' : 'p:1')));
    await world.gateway.advance(target === 'a' ? 1 : 70_000);
    await node.recover();
    world.publish(many(2, to('a')));
    await world.settle();
  },
);

test('a subscriber of a pattern that is cut off before the last publications came gets them elsewhere', async () => {
  const world = new World(roomy, 'websocket', 2);
  await world.open();
  await told(world, to('p:1'));
  world.client(2).subscribe([of('*')], { at: 'last', count: 1 });
  world.publish([to('p:1')]);
  await world.gateway.advance(1);
  await world.gateway.turn();
  world.move(2);
  await world.settle();
});

describe.each(['websocket', ['sse'], ['poll']] as const)('by %s', (transport) => {
  test.each(['that node is restarted', 'it goes to another node, which has members that know it'])(
    'a subscriber of a pattern is told of a state topic that its node had dropped as empty, once %s',
    async (how) => {
      const world = new World(roomy, transport, 2);
      await world.open();
      world.client(1).subscribe([of('*')], end);
      await told(world, to('m', { key: 'k1' }), to('m', { key: 'k1', removed: true }));
      // What the node drops it does not tell yet: another one would not have it either.
      world.gateway.engine.isSlow = how.startsWith('that');
      world.gateway.reload({ topicHistoryMaxAgeMs: 300 });
      await world.gateway.advance(2500);
      world.client(0).subscribe([of('*')], end);
      await world.gateway.advance(2500);
      if (how.startsWith('that')) await world.restartNode(0);
      else world.move(0);
      await world.gateway.quiet();
      world.publish([to('m', { key: 'k2', removed: true })]);
      world.publish([to('m', { key: 'k2' })]);
      await world.settle();
    },
  );
});

test.each(['sse', 'poll'] as const)(
  'what a node was told that it had missed for good is not the business of who subscribes after that, by %s',
  async (transport) => {
    const world = new World({ ...tight, topicHistoryMaxAgeMs: 300, numberingsMax: 0 }, [transport], 2);
    await world.open();
    await told(world, to('a'));
    nodeOf(world, 0).away();
    await told(world, to('a'));
    await world.gateway.advance(2500);
    world.client(0).subscribe([of('a')], end);
    await world.settle();
  },
);

test.each(['sse', 'poll'] as const)(
  'what was gone where a client subscribed is not its business at another node, which still holds it, by %s',
  async (transport) => {
    const world = new World({ ...tight, topicHistoryMaxAgeMs: 300, numberingsMax: 0 }, [transport], 2);
    await world.open();
    world.node(0).reload({ topicHistoryMaxAgeMs: 60_000 });
    world.publish([to('a')]);
    await world.gateway.advance(2000);
    world.client(1).subscribe([of('a')], { at: 'last', count: 1 });
    await world.gateway.advance(500);
    world.move(1);
    await world.settle();
  },
);

test('polls that end and begin again with the same cursor and subscription go on in their session', async () => {
  const world = new World(roomy, ['poll']);
  const client = world.client(0);
  client.subscribe([of('p:1')], end);
  await world.gateway.advance(70_000);
  client.unsubscribe(0);
  client.subscribe([of('p:1')], end);
  await world.gateway.quiet();
  world.publish([to('p:1')]);
  await world.settle();
});

test.each([0, 1000])(
  'a subscriber of a pattern that is cut off before it has a cursor is told that topics may have come and gone (%i kept)',
  async (numberingsMax) => {
    const world = new World({ ...tight, topicHistoryMaxAgeMs: 300, numberingsMax });
    await told(world, to('q:2'));
    const client = world.client(0);
    client.subscribe([of('*')], { at: 'last', count: 1 });
    await world.gateway.turn();
    client.leave();
    await told(world, to('a'));
    await world.gateway.advance(70_000);
    await told(world, to('q:2'));
    client.connect();
    await world.settle();
  },
);

/** Two gateways on one log, their clients on streams. The second one is away when this returns. */
async function withOneAway(options: GatewayOptions) {
  const world = new World(options, ['sse'], 2);
  await world.open();
  const away = nodeOf(world, 1);
  away.away();
  return { world, away };
}

test('a cursor says what a stream was sent of a burst that its ring no longer holds', async () => {
  const world = new World({ ...roomy, topicHistoryMaxPublications: 4, batchMaxPublications: 1 }, ['sse']);
  world.client(3).subscribe([of('a')], end);
  await world.gateway.turn();
  world.client(0).subscribe([of('a')], end);
  world.publish(many(45, to('a', { except: world.client(3).session })));
  await world.gateway.turn();
  await world.gateway.advance(1);
  // It opens another stream, with its cursor, while the burst is being sent.
  world.client(0).subscribe([of('$all'), of('b')], end);
  await world.settle();
});

test('a stream that was caught up with a pattern in a numbering that is new to it gets nothing twice', async () => {
  const options = { ...tight, backpressureMaxBytes: 100_000, kernelBytes: 1000, batchMaxPublications: 1 };
  const world = new World({ ...options, isSlowEngine: true, numberingsMax: 0 }, ['sse']);
  const client = world.client(0);
  client.subscribe([of('*'), of('a')], end);
  await world.restart();
  world.publish(many(5, to('a')));
  await world.gateway.advance(1);
  world.gateway.engine.commitAll();
  client.subscribe([of('a')], end);
  await world.gateway.advance(600);
  client.subscribe([of('a')], end);
  await world.settle();
});

test('a client of a stream that comes to a gateway which has heard of less is sent away, and gets nothing twice', async () => {
  const { world, away } = await withOneAway(roomy);
  const client = world.client(0);
  client.subscribe([of('a')], end);
  await world.gateway.quiet();
  world.publish([to('a')]);
  await world.gateway.advance(10);
  await world.gateway.quiet();
  world.move(0);
  await world.gateway.advance(10);
  expect([client.received, client.ends]).toEqual([1, 2]);
  await away.recover();
  client.connect();
  await world.settle();
  expect(client.received).toBe(1);
});

test('what a gateway that was away hears out of order is sent by patterns too, though clients read slowly', async () => {
  const { world } = await withOneAway({ ...tight, batchMaxPublications: 1 });
  for (const publications of [[to('m'), ...many(2, to('a'))], [to('a')], many(5, to('a'))]) {
    world.publish(publications);
    await promises();
  }
  world.client(3).subscribe([of('*')], end);
  await promises();
  await world.settle();
});

test('a pattern that was up to date when one topic was replaced is sent what others continued with in the same turn', async () => {
  const options = { ...tight, topicHistoryMaxPublications: 200, batchMaxPublications: 1, numberingsMax: 0 };
  const world = new World(
    { ...options, topicHistoryMaxBytes: 2000, historyMaxBytes: 4000, turnBudgetMs: 0 },
    'websocket',
    2,
  );
  await world.open();
  const say = async (...publications: Fields[]) => {
    world.publish(publications);
    await promises();
  };
  const hear = async (target: string) => {
    world.client(0).subscribe([of(target)], end);
    await promises();
  };
  await say(...many(5, to('a')));
  await hear('m');
  await say(to('m', { removed: true }), ...many(2, to('a')));
  await hear('q:*');
  world.client(0).disconnect();
  await promises();
  nodeOf(world, 1).away();
  await say(...many(5, to('a')));
  await world.gateway.advance(70_000);
  await say(...many(5, to('a')));
  await say(...many(20, to('q:2')));
  world.move(0);
  await say(to('a'), to('m'), to('a'));
  await world.gateway.advance(2500);
  await world.settle();
});

test.each(['sdk', 'websocket'] as const)(
  'a client that knew a topic as empty before the gateway began anew is told that it may have missed something: %s',
  async (transports) => {
    const world = new World(roomy, transports);
    world.client(0).subscribe([of('a')], end);
    await world.gateway.advance(1000);
    world.publish([to('a')]);
    await world.restart();
    await world.settle();
  },
);

test('an own topic that an attempt was told of before it was lost is asked for by the next one', async () => {
  const world = new World(roomy, 'sdk');
  world.client(0).subscribe([of('$all')], end);
  await world.gateway.turn();
  await world.gateway.turn();
  world.publish([to('$all')]);
  world.client(0).roam();
  await world.gateway.advance(1);
  await world.settle();
});

test('a pattern of all topics does not go on after `$all`, which none of them is', async () => {
  const world = new World({ ...tight, batchMaxPublications: 1, turnBudgetMs: 0 });
  world.client(1).subscribe([of('$all')], end);
  world.client(1).subscribe([of('*')], end);
  await world.restart();
  world.publish(many(5, to('$all')));
  world.publish(many(5, to('a')));
  await world.gateway.advance(1);
  await world.settle();
});

describe.each([
  ['WebSocket', 0],
  ['a stream', 1],
  ['polls', 2],
])('an application of the SDK by %s', (_, roams) => {
  async function app(options: GatewayOptions, nodes = 0) {
    const world = new World(options, 'sdk', nodes);
    if (nodes > 0) await world.open();
    const client = world.client(1);
    for (let i = 0; i < roams; i++) client.roam();
    client.connect();
    await world.gateway.advance(2500);
    return { world, client };
  }

  test.each(['$all', 'a'])(
    'is told what it may lack of %s that it knew as empty, though another subscription knows less',
    async (topic) => {
      const { world, client } = await app({ ...roomy, numberingsMax: 0 });
      client.subscribe([of(topic)], end);
      await world.gateway.advance(1000);
      client.unsubscribe(0);
      world.publish([to(topic)]);
      await world.restart();
      client.subscribe([of(topic)], end);
      await world.gateway.advance(2500);
      client.takeUp(0);
      await world.settle();
    },
  );

  test('is told what came after the last ones that it begins with, and was lost before they had come', async () => {
    const { world, client } = await app({ ...tight, batchMaxPublications: 1, numberingsMax: 0 });
    world.publish([to('a')]);
    await world.gateway.advance(2500);
    client.subscribe([of('*')], { at: 'last', count: 1 });
    await world.gateway.advance(1);
    world.publish(many(5, to('b')));
    await promises();
    await world.restart();
    await world.settle();
  });

  test('goes on with the gateway’s own subscription, exactly where that begins', async () => {
    const { world, client } = await app(roomy);
    client.subscribe([of('$all')], end);
    world.publish([to('$all')]);
    await world.gateway.advance(2500);
    client.unsubscribe(0);
    client.disconnect();
    client.takeUp(0);
    await world.settle();
  });

  test('hears of its own topics after its gateway ended the session, having missed some', async () => {
    const { world, client } = await app({ ...tight, numberingsMax: 0 }, 2);
    nodeOf(world, 1).isBehind = true;
    world.publish([to('$all'), to('a')]);
    client.subscribe([of('$all')], end);
    await world.gateway.advance(70_000);
    nodeOf(world, 1).away();
    await promises();
    await world.settle();
  });

  test('is live again where it subscribes to something else while it lags', async () => {
    const { world, client } = await app({ ...tight, batchMaxPublications: 1, turnBudgetMs: 0 });
    client.subscribe([of('a')], end);
    await promises();
    client.read(0);
    await promises();
    await world.gateway.advance(70_000);
    await world.gateway.advance(600);
    client.whenHeard?.(() => client.subscribe([of('a', { intervalMs: 500 })], { at: 'last', count: 1 }));
    world.publish(many(20, to('a')));
    await world.settle();
  });

  test('gets nothing twice from a gateway that has not heard of it yet', async () => {
    const { world, client } = await app(tight, 2);
    client.subscribe([of('a'), of('m'), of('p:*')], end);
    await world.gateway.advance(1000);
    nodeOf(world, 0).away();
    for (const topic of ['a', 'm', 'p:1']) world.publish(many(2, to(topic)));
    for (const topic of ['a', 'm', 'p:1']) world.publish(many(2, to(topic)));
    await world.gateway.advance(2500);
    world.move(1);
    await world.gateway.advance(2500);
    await world.settle();
  });

  test('is shown no values older than what it had, from a gateway that has not heard of that yet', async () => {
    const { world, client } = await app(tight, 2);
    client.subscribe([of('m')], end);
    const publish = async (count: number, size = 0) => {
      for (let i = 0; i < count; i++) world.publish(many(2, to('m', { key: `k${i}`, size })));
      await world.gateway.advance(2500);
    };
    // All but the first of them by the gateway of this client.
    world.publish([to('m')]);
    await publish(1);
    nodeOf(world, 0).away();
    await publish(3);
    await world.gateway.advance(2500);
    client.leave();
    await publish(5, 300);
    // It hears that values will come, and moves before they have.
    client.read(400);
    client.connect();
    await world.gateway.advance(300);
    world.move(1);
    client.read(Number.POSITIVE_INFINITY);
    await world.gateway.advance(2500);
    await world.settle();
  });

  test('does not get what it publishes for others while it begins to subscribe to something else', async () => {
    const { world, client } = await app(roomy);
    client.subscribe([of('a')], end);
    await world.gateway.advance(1000);
    world.publishBy(1, to('a'));
    client.subscribe([of('b')], end);
    await world.gateway.advance(1000);
    await world.settle();
  });

  test('has what the engine lost before its acknowledgement came stored again, behind what was published later', async () => {
    const { world, client } = await app({ ...tight, isSlowEngine: true }, 2);
    client.read(0);
    for (let n = 0; n < 2; n++) world.publishBy(1, to('a'));
    await world.gateway.advance(100);
    nodeOf(world, 1).commitAll();
    await world.gateway.advance(10);
    await world.empty();
    await world.gateway.advance(100);
    nodeOf(world, 1).commitAll();
    await world.gateway.advance(10);
    client.disconnect();
    await world.settle();
  });

  test('has nothing stored behind what is committed at a gateway that goes away before it has heard of it', async () => {
    const { world } = await app({ ...roomy, isSlowEngine: true }, 2);
    const node = nodeOf(world, 0);
    for (const publications of [[to('a'), to('a')], [to('a')]]) {
      world.publish(publications);
      await promises();
      await promises();
    }
    node.failures = 1;
    node.isBehind = true;
    node.commitAll();
    await promises();
    node.away();
    await world.settle();
  });

  test.each(['a', 'p:*'])(
    'is told of a numbering of %s that ended before anything of it was sent',
    async (target) => {
      const { world, client } = await app({ ...tight, numberingsMax: 0 }, 2);
      nodeOf(world, 1).isBehind = true;
      const topic = target.replace('*', '1');
      const publish = async () => {
        world.publish([to(topic)]);
        await promises();
      };
      await publish();
      await world.gateway.advance(70_000);
      await publish();
      client.subscribe([of(target)], end);
      await world.gateway.advance(1000);
      await world.settle();
    },
  );
});

test.each(['goes on', 'is gone'])(
  'a tab whose leader %s drops state topics that went with the gateway that was started again',
  async (leader) => {
    const world = new World(roomy, { tabs: 1 });
    for (const client of world.clients) client.subscribe([of('q:*')], end);
    await world.gateway.advance(2500);
    await told(world, to('q:1', { key: 'k1' }), to('q:2', { key: 'k1' }));
    const leads = world.clients.findIndex((each) => each instanceof SdkClient && each.leads);
    const { client, tab } = world.page(leads);
    await world.restart();
    world.publish([to('q:2', { key: 'k2' })]);
    if (leader === 'is gone') {
      tab.kill();
      client.renew();
    }
    await world.settle();
  },
);

test('what a tab sends again, as the tab that leads was replaced, is in its order where the engine fails', async () => {
  const world = new World(roomy, { tabs: 0 });
  await world.gateway.advance(2500);
  const leads = world.clients.findIndex((each) => each instanceof SdkClient && each.leads);
  const page = (after: number) => world.page(leads + after);
  for (let n = 0; n < 3; n++) world.publishBy((leads + 1) % 4, to('a'));
  await promises();
  page(2).tab.kill();
  page(2).client.renew();
  world.gateway.engine.failures = 6;
  world.published.hasFailed = true;
  page(0).tab.freeze();
  await world.gateway.advance(2500);
  page(0).tab.thaw();
  await world.gateway.advance(2500);
  await world.settle();
});

function nodeOf(world: World, i: number): LogNode {
  const { engine } = world.node(i);
  if (!(engine instanceof NodeEngine)) throw new Error('no node');
  return engine.node;
}
