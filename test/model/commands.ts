import { setTimeout as after } from 'node:timers/promises';
import fc from 'fast-check';
import { replayPath } from '../support/seed.ts';
import type { ModelClient, Start } from './client.ts';
import { NodeEngine, ScriptedEngine } from './engine.ts';
import { promises } from './loop.ts';
import { isState } from './model.ts';
import type { Fields } from './published.ts';
import { SdkClient } from './sdk-client.ts';
import type { LogNode } from './shared-log.ts';
import type { Spec } from './subscription.ts';
import type { World } from './world.ts';

/** The world is its own model: fast-check only carries it from step to step. */
type Command = fc.AsyncCommand<World, World>;

class Step implements Command {
  readonly #text: string;
  readonly #run: (world: World) => unknown;

  constructor(text: string, run: (world: World) => unknown) {
    this.#text = text;
    this.#run = run;
  }

  check = () => true;

  async run(_: World, world: World): Promise<void> {
    await this.#run(world);
    await promises();
    for (const { faults = [] } of [...world.gateways, ...world.clients])
      if (faults.length > 0) throw faults[0];
    world.checkLeaders();
  }

  toString = () => this.#text;
}

function step<T>(
  name: string,
  args: fc.Arbitrary<T>,
  run: (world: World, args: T) => unknown,
): fc.Arbitrary<Command> {
  return args.map((values) => new Step(`${name}(${JSON.stringify(values)})`, (world) => run(world, values)));
}

const streams = ['a', 'b', 'p:1', 'p:2', '$all'];
const states = ['m', 'q:1', 'q:2'];
const targets = ['a', 'a', 'b', 'p:1', 'm', 'm', 'm', 'q:1', 'p:*', 'q:*', '*'];

const client = fc.nat(3);
const topic = fc.constantFrom(...streams, ...states, 'a', 'm', 'm');
const tags = fc.constantFrom<Record<string, string> | undefined>(
  undefined,
  { level: 'high' },
  { level: 'low', load: '7' },
  { load: '3', alarm: 'yes' },
);

interface Publishing {
  readonly fields: Fields;
  readonly exceptClient: number | undefined;
}

const publishing: fc.Arbitrary<Publishing> = fc.record({
  fields: fc.record({
    topic,
    key: fc.constantFrom(undefined, 'k1', 'k1', 'k2'),
    tags,
    size: fc.oneof({ weight: 4, arbitrary: fc.nat(30) }, fc.nat(300)),
    ttlMs: fc.option(fc.constantFrom(20, 1500, 5000), { nil: undefined, freq: 5 }),
    // Of a clock that is right, slow, or fast.
    timestampMs: fc.constantFrom(undefined, undefined, 1, 9_000_000_000_000),
    removed: fc.option(fc.constant(true), { nil: undefined, freq: 5 }),
  }),
  exceptClient: fc.option(client, { nil: undefined, freq: 3 }),
});

function publish(world: World, publications: readonly Publishing[]): void {
  world.publish(
    publications.map(({ fields, exceptClient }) => {
      const session = exceptClient === undefined ? '' : world.client(exceptClient).session;
      return session === '' ? fields : { ...fields, except: session };
    }),
  );
}

const keys = fc.constantFrom(['k1'], ['k2'], ['k1', 'k2'], ['', 'k3']);

const spec: fc.Arbitrary<Spec> = fc
  .record({
    target: fc.constantFrom(...targets),
    filter: fc.constantFrom(undefined, undefined, 0, 0, 1, 2),
    intervalMs: fc.constantFrom(0, 0, 100, 500),
    conflate: fc.constantFrom(false, false, true),
    keys: fc.option(keys, { nil: undefined, freq: 3 }),
  })
  .map(({ keys, ...rest }) =>
    isState(rest.target) && !rest.target.endsWith('*') ? { ...rest, keys } : rest,
  );

const start: fc.Arbitrary<Start> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ at: 'end' as const }) },
  fc.record({ at: fc.constantFrom('last' as const, 'back' as const), count: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ at: fc.constant('foreign' as const), offset: fc.nat(5) }),
);

const reads = fc.constantFrom(0, 0, 40, 300);
const bursts = fc.constantFrom(5, 20, 45);

const publishes = [
  step('publish', fc.array(publishing, { minLength: 1, maxLength: 3 }), publish),
  step('publish', fc.array(publishing, { minLength: 1, maxLength: 3 }), publish),
  step('burst', fc.tuple(publishing, bursts), (world, [each, count]) =>
    publish(world, new Array(count).fill(each)),
  ),
];

const subscriptions = [
  step(
    'subscribe',
    fc.tuple(client, fc.array(spec, { minLength: 1, maxLength: 3 }), start),
    (world, [i, specs, at]) => world.client(i).subscribe(specs, at),
  ),
  step('subscribeOwn', client, (world, i) =>
    world
      .client(i)
      .subscribe([{ target: '$all', filter: undefined, intervalMs: 0, conflate: false }], { at: 'end' }),
  ),
  step('exchange', fc.tuple(client, fc.array(spec, { minLength: 1, maxLength: 2 })), (world, [i, specs]) =>
    world.client(i).exchange?.(specs),
  ),
  step('unsubscribe', fc.tuple(client, fc.nat(5)), (world, [i, pick]) => world.client(i).unsubscribe(pick)),
  step('setKeys', fc.tuple(client, fc.nat(5), keys), (world, [i, pick, wanted]) =>
    world.client(i).setKeys(pick, wanted),
  ),
  step('takeUp', fc.tuple(client, fc.nat(5)), (world, [i, pick]) => world.client(i).takeUp(pick)),
];

/** What applications do in their listeners too. */
const inListeners = [
  step('publishBy', fc.tuple(client, publishing), (world, [i, { fields }]) => world.publishBy(i, fields)),
  step(
    'burstBy',
    fc.tuple(client, publishing, fc.integer({ min: 2, max: 12 })),
    (world, [i, each, count]) => {
      for (let n = 0; n < count; n++) world.publishBy(i, each.fields);
    },
  ),
  step('unsubscribe when heard', fc.tuple(client, fc.nat(5)), (world, [i, pick]) =>
    whenHeard(world, i, (each) => each.unsubscribe(pick)),
  ),
  step('subscribe when heard', fc.tuple(client, spec, start), (world, [i, each, at]) =>
    whenHeard(world, i, (one) => one.subscribe([each], at)),
  ),
];

function whenHeard(world: World, pick: number, run: (client: ModelClient) => void): void {
  const client = world.client(pick);
  if (client.whenHeard === undefined) run(client);
  else client.whenHeard(() => run(client));
}

const connections = [
  step('disconnect', client, (world, i) => world.client(i).disconnect()),
  step('connect', client, (world, i) => world.client(i).connect()),
  step('roam', client, (world, i) => world.client(i).roam()),
  step('read', fc.tuple(client, reads), (world, [i, bytes]) => world.client(i).read(bytes)),
  step('readAll', client, (world, i) => world.client(i).read(Number.POSITIVE_INFINITY)),
];

const times = [
  step('turn', fc.constant(null), (world) => world.gateway.turn()),
  step('turn', fc.constant(null), (world) => world.gateway.turn()),
  step('advance', fc.constantFrom(1, 6, 60, 600), (world, ms) => world.gateway.advance(ms)),
  step('wait', fc.constantFrom(2500, 11_000, 35_000, 70_000), (world, ms) => world.gateway.advance(ms)),
];

const engine = [
  step('commit', fc.nat(5), (world, pick) => world.gateway.engine.commit(pick)),
  step('commitAll', fc.constant(null), (world) => world.gateway.engine.commitAll()),
  step('fail', fc.integer({ min: 1, max: 6 }), (world, count) => {
    world.gateway.engine.failures += count;
    world.published.hasFailed = true;
  }),
];

const refusals = step('refuse', fc.integer({ min: 1, max: 3 }), (world, count) => {
  if (world.gateway.engine instanceof ScriptedEngine) world.gateway.engine.refusals += count;
});

const reloaded = fc.record(
  {
    topicHistoryMaxPublications: fc.constantFrom(4, 12, 200),
    topicHistoryMaxAgeMs: fc.constantFrom(300, 60_000),
    topicHistoryMaxBytes: fc.constantFrom(2000, 1_000_000),
    batchMaxDelayMs: fc.constantFrom(0, 5, 50),
    batchMaxBytes: fc.constantFrom(200, 65_536),
    batchMaxPublications: fc.constantFrom(1, 3, 10_000),
  },
  { requiredKeys: [] },
);

const configuration = [
  step('reload', fc.tuple(fc.nat(2), reloaded), (world, [i, limits]) => world.node(i).reload(limits)),
];

/** Of a gateway that has its engine alone. */
const alone = [
  refusals,
  step('reset', fc.tuple(topic, fc.constantFrom(0, 0, 7)), (world, [name, base]) => world.reset(name, base)),
  step('restart', fc.constant(null), (world) => world.restart()),
];

const tab = fc.nat(3);

/** Of pages in the tabs of a browser. */
const tabs = [
  step('freeze', tab, (world, i) => world.mayFreeze(i) && world.page(i).tab.freeze()),
  step('freezeLeader', fc.constant(null), (world) => {
    const i = world.clients.findIndex((each) => each instanceof SdkClient && each.leads);
    if (i >= 0 && world.mayFreeze(i)) world.page(i).tab.freeze();
  }),
  step('thaw', tab, (world, i) => world.page(i).tab.thaw()),
  step('sleep', fc.constantFrom(3000, 400_000), async (world, ms) => {
    const awake = world.clients.map((_, i) => world.page(i).tab).filter(({ isFrozen }) => !isFrozen);
    for (const each of awake) each.freeze();
    // No engine takes as long as messageIds are remembered.
    for (let leftMs = ms; leftMs > 0; leftMs -= 50_000) {
      await world.gateway.advance(Math.min(leftMs, 50_000));
      world.gateway.engine.commitAll();
    }
    for (const each of awake) each.thaw();
  }),
  step('hide', tab, (world, i) => world.page(i).tab.show(false)),
  step('show', tab, (world, i) => world.page(i).tab.show(true)),
  step('leave', fc.tuple(tab, fc.boolean()), (world, [i, isKept]) => {
    const { client, tab } = world.page(i);
    if (isKept && !world.mayFreeze(i)) return;
    tab.leave(isKept);
    if (tab.isGone) client.renew();
  }),
  step('kill', tab, (world, i) => {
    const { client, tab } = world.page(i);
    tab.kill();
    client.renew();
  }),
  step('close', client, (world, i) => (world.client(i) as SdkClient).close()),
  step('ask', client, (world, i) => (world.client(i) as SdkClient).ask()),
  step('tokenFails', fc.tuple(client, fc.integer({ min: 1, max: 3 })), (world, [i, count]) => {
    (world.client(i) as SdkClient).tokenFailures = count;
  }),
];

const several = [
  step('move', client, (world, i) => world.move(i)),
  step('restartNode', fc.nat(2), (world, i) => world.restartNode(i)),
];

/** Of gateways that share a log. */
const nodes = [
  ...several,
  onNode('fall behind', (node) => {
    node.isBehind = true;
  }),
  onNode('hear one', (node) => node.hear(1)),
  onNode('hear some', (node) => node.hear(3)),
  onNode('away', (node) => node.away()),
  onNode('back', (node) => node.recover()),
];

const empty = step('empty', fc.constant(null), (world) => world.empty());

/** Of gateways whose log loses what it has. */
const failingNodes = [...nodes, empty];

function onNode(name: string, run: (node: LogNode) => void | Promise<void>): fc.Arbitrary<Command> {
  return step(name, fc.nat(2), (world, i) => {
    const { engine } = world.node(i);
    return engine instanceof NodeEngine ? run(engine.node) : undefined;
  });
}

const common = [
  ...publishes,
  ...publishes,
  ...inListeners,
  ...subscriptions,
  ...connections,
  ...times,
  ...times,
  ...engine,
  ...configuration,
];

const breathe = step('breathe', fc.nat(3), (_, ms) => after(ms));

/** Of a gateway with lmdb. */
const onLmdb = [breathe, step('restartNode', fc.constant(0), (world, i) => world.restartNode(i))];

/** Of gateways that share a Redis. */
const onRedis = [
  ...several,
  breathe,
  step('cut', fc.constant(null), async ({ elsewhere }) => void (await elsewhere?.cut?.())),
  step('pause', fc.constantFrom(5, 30), async ({ elsewhere }, ms) => void (await elsewhere?.pause?.(ms))),
];

/** Of gateways whose Redis loses what it has, or ends. */
const onFailingRedis = [
  ...onRedis,
  empty,
  step('restartRedis', fc.constant(null), (world) => world.restartElsewhere()),
];

const particular = {
  alone,
  tabs: [...alone, ...tabs, ...tabs],
  nodes,
  failingNodes,
  lmdb: onLmdb,
  redis: onRedis,
  failingRedis: onFailingRedis,
};

/** At most this many steps; fast-check leaves out those that a failure does not need. */
export const steps = (
  maxCommands: number,
  of: keyof typeof particular = 'alone',
): fc.Arbitrary<Iterable<Command>> =>
  fc.commands([...common, ...particular[of]], {
    maxCommands,
    size: 'max',
    replayPath,
  });
