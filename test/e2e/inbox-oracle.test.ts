import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { JsonClient } from '../support/json-client.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { startRedis } from '../support/redis-server.ts';
import { seed as firstSeed } from '../support/seed.ts';
import { publicationsOf, SseClient } from '../support/sse-client.ts';
import { signToken, tokenSecret } from '../support/tokens.ts';

/**
 * Lives of users whose clients acknowledge, or do not, and whose gateways end without a word. RUNS=50 makes more of
 * them.
 */
const lives = Number(process.env['RUNS'] ?? 1);
const stepsPerLife = 24;

/** A session of a user. Each notification is known by its number, from 1 on. */
interface Device {
  readonly node: number;
  /** The gateway counts what it was sent. Otherwise only what it acknowledges counts. */
  readonly drains: boolean;
  /** The gateway had time to count what it was sent before it heard that only acknowledgements are to count. */
  readonly wasLate?: boolean;
  had(): readonly number[];
  /** Resolves once it has this one. */
  until(number: number): Promise<unknown>;
  /** Returns up to where it has acknowledged. */
  acknowledge(upto: number): Promise<number>;
  leave(): void;
}

interface Place {
  readonly gateway: GatewayProcess;
  readonly node: number;
  readonly topic: string;
  readonly user: string;
  readonly token: string;
}

const numberOf = (publication: object) => (publication as { data: { n: number } }).data.n;
const isAtLeast = (had: () => readonly number[], number: number) => () => (had().at(-1) ?? 0) >= number;

const kinds: Readonly<Record<string, (place: Place) => Promise<Device>>> = {
  async protobuf({ gateway, node, topic, token }) {
    const { client, results, wasLate } = await openProtobuf(gateway, token);
    const { view } = results.find((each) => each.topic === topic) as { view: number };
    const had = () =>
      client
        .publications(view)
        .map(({ payload }) => numberOf({ data: JSON.parse(Buffer.from(payload.bytes).toString()) }));
    return {
      node,
      drains: false,
      wasLate,
      had,
      until: (number) => client.until(isAtLeast(had, number)),
      async acknowledge(upto) {
        const { offset } = client.publications(view).find((_, i) => had()[i] === upto) as { offset: number };
        await client.call('ping', { acks: [{ view, offset }] });
        return upto;
      },
      leave: () => client.socket.terminate(),
    };
  },
  async json({ gateway, node, topic, token }) {
    const client = await JsonClient.open(`${gateway.url.replace('http', 'ws')}/ws?token=${token}`);
    const had = () => client.publications(topic).map(numberOf);
    return {
      node,
      drains: true,
      had,
      until: (number) => client.until(isAtLeast(had, number)),
      acknowledge: async () => 0,
      leave: () => client.socket.terminate(),
    };
  },
  stream: (place) => streamAt(place, false),
  'stream that acknowledges': (place) => streamAt(place, true),
  async poll({ gateway, node, token }) {
    const all: number[] = [];
    let cursor = '';
    const ask = async (seconds: number) => {
      const before = all.at(-1) ?? 0;
      const query = `timeoutSeconds=${seconds}&cursor=${cursor}&token=${token}`;
      const answer = await fetch(`${gateway.url}/poll?${query}`);
      cursor = answer.headers.get('sluice-cursor') ?? cursor;
      const { events } =
        answer.status === 200
          ? ((await answer.json()) as { events: Record<string, unknown>[] })
          : { events: [] };
      all.push(...events.flatMap(publicationsOf).map(numberOf));
      return before;
    };
    await ask(0);
    return {
      // Each further poll acknowledges what came before.
      node,
      drains: false,
      wasLate: true,
      had: () => all,
      async until(number) {
        while ((all.at(-1) ?? 0) < number) await ask(20);
      },
      // By the next poll.
      acknowledge: () => ask(0),
      leave: () => undefined,
    };
  },
  async compat({ gateway, node, user, token }) {
    const client = new JsonClient(`${gateway.url.replace('http', 'ws')}/api/v1/ws/${user}?token=${token}`);
    await once(client.socket, 'open');
    const had = () => client.frames.filter(({ type }) => type === 'notification').map(numberOf);
    return {
      node,
      drains: true,
      had,
      until: (number) => client.until(isAtLeast(had, number)),
      acknowledge: async () => 0,
      leave: () => client.socket.terminate(),
    };
  },
};

/** Opens a WebSocket of a client that acknowledges by itself. */
async function openProtobuf({ url }: GatewayProcess, token: string) {
  const client = new ProtobufClient(`${url.replace('http', 'ws')}/ws?token=${token}`);
  const startedMs = performance.now();
  await once(client.socket, 'open');
  await client.call('connect', { capabilities: ['acks'] });
  // It counts once a second.
  const wasLate = performance.now() - startedMs > 900;
  const { results } = await client.kind('subscribed');
  return { client, results, wasLate };
}

async function streamAt({ gateway, node, topic, token }: Place, acks: boolean): Promise<Device> {
  const client = await SseClient.open({ port: gateway.port, path: `/sse?acks=${acks}&token=${token}` });
  const had = () => client.publications.map(numberOf);
  return {
    node,
    drains: !acks,
    had,
    until: (number) => client.until(isAtLeast(had, number)),
    async acknowledge(upto) {
      if (!acks) return 0;
      const [{ session }] = client.of('connected') as [{ session: string }];
      const views = client
        .of('subscribed')
        .flatMap(({ results }) => results as { topic: string; view: number }[]);
      const view = views.find((each) => each.topic === topic)?.view;
      const { offset } = client.publications.find(({ data }) => numberOf({ data }) === upto) as {
        offset: number;
      };
      const answer = await fetch(`${gateway.url}/api/connections/${session}/acks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ acks: [{ view, offset }] }),
      });
      expect(answer.status).toBe(200);
      return upto;
    },
    leave: () => client.close(),
  };
}

interface Engine {
  /** Starts the gateway of this node, with all that was kept. */
  start(node: number): Promise<GatewayProcess>;
  readonly nodes: number;
  /** What a gateway knows outlives it. */
  readonly isDurable: boolean;
}

/** What a user has had, as the clients see it. */
class Life {
  readonly #engine: Engine;
  readonly #gateways: GatewayProcess[];
  readonly #user: string;
  readonly #token: string;
  readonly #draw: (below: number) => number;
  readonly #devices = new Set<Device>();
  /** Numbers up to here were acknowledged for sure, as each node knows; on disk; or possibly. */
  readonly #certain: number[];
  #durable = 0;
  #possible = 0;
  #published = 0;

  constructor(
    engine: Engine,
    gateways: GatewayProcess[],
    user: string,
    token: string,
    draw: (below: number) => number,
  ) {
    this.#engine = engine;
    this.#gateways = gateways;
    this.#user = user;
    this.#token = token;
    this.#draw = draw;
    this.#certain = gateways.map(() => 0);
  }

  async step(): Promise<void> {
    const steps = [() => this.publish(), () => this.publish(), () => this.connect(), () => this.connect()];
    steps.push(
      () => this.#acknowledge(),
      () => this.#acknowledge(),
      () => this.#leave(),
    );
    if (this.#engine.isDurable && this.#draw(4) === 0) steps.push(() => this.#crash());
    await steps[this.#draw(steps.length)]?.();
  }

  async publish(): Promise<number> {
    const n = ++this.#published;
    const gateway = this.#gateways[this.#draw(this.#gateways.length)] as GatewayProcess;
    const answer = await fetch(`${gateway.url}/api/users/${this.#user}/notify`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ data: { n } }),
    });
    expect(answer.status).toBe(200);
    if ([...this.#devices].some(({ drains }) => drains)) this.#possible = n;
    // What is committed after an acknowledgement has it committed, too.
    if (this.#engine.nodes === 1) this.#durable = Math.max(...this.#certain);
    return n;
  }

  /** A new session gets everything after what was acknowledged, once and in order. */
  async connect(): Promise<void> {
    if (this.#devices.size >= 8) return this.#leave();
    const names = Object.keys(kinds);
    const name = names[this.#draw(names.length)] as string;
    const node = this.#draw(this.#gateways.length);
    const least = this.#certain[node] as number;
    const most = this.#possible;
    const gateway = this.#gateways[node] as GatewayProcess;
    const place = { gateway, node, topic: `user:${this.#user}`, user: this.#user, token: this.#token };
    const device = await (kinds[name] as (place: Place) => Promise<Device>)(place);
    this.#devices.add(device);
    if (device.drains || device.wasLate) this.#possible = this.#published;
    const n = await this.publish();
    await device.until(n);
    const begin = (device.had()[0] as number) - 1;
    expect(device.had(), name).toEqual(Array.from({ length: n - begin }, (_, i) => begin + i + 1));
    expect(begin, `${name}: what was not had`).toBeLessThanOrEqual(most);
    expect(begin, `${name}: what was had`).toBeGreaterThanOrEqual(least);
  }

  /** All that are connected have everything since they began. */
  async settle(): Promise<void> {
    for (const device of this.#devices) {
      await device.until(this.#published);
      const had = device.had();
      const [first = 1] = had;
      expect(had).toEqual(Array.from({ length: this.#published - first + 1 }, (_, i) => first + i));
    }
    const drained = [...this.#devices].some(({ drains }) => drains) ? this.#published : 0;
    const wanted = Math.max(drained, ...this.#certain);
    for (const [node] of this.#gateways.entries())
      await expect.poll(() => this.#startsAt(node)).toBeGreaterThanOrEqual(wanted);
    this.#certain.fill(wanted);
    this.#possible = Math.max(this.#possible, wanted);
    // With lmdb it is committed with the next publication.
    if (this.#engine.nodes > 1) this.#durable = wanted;
  }

  close(): void {
    for (const device of this.#devices) device.leave();
    this.#devices.clear();
  }

  async #startsAt(node: number): Promise<number> {
    const gateway = this.#gateways[node] as GatewayProcess;
    const { client, results, wasLate } = await openProtobuf(gateway, this.#token);
    client.socket.terminate();
    if (wasLate) this.#possible = this.#published;
    const own = results.find(({ topic }) => topic === `user:${this.#user}`) as { offset: number };
    return own.offset;
  }

  #device(): Device | undefined {
    return [...this.#devices][this.#draw(this.#devices.size)];
  }

  async #acknowledge(): Promise<void> {
    const device = this.#device();
    if (device === undefined) return;
    const had = device.had();
    const upto = await device.acknowledge(had[this.#draw(had.length)] as number);
    this.#certain[device.node] = Math.max(this.#certain[device.node] as number, upto);
    this.#possible = Math.max(this.#possible, upto);
  }

  async #leave(): Promise<void> {
    const device = this.#device();
    if (device === undefined) return;
    device.leave();
    this.#devices.delete(device);
  }

  /** A gateway ends without a word, and what is under way with it. */
  async #crash(): Promise<void> {
    const node = this.#draw(this.#gateways.length);
    for (const device of this.#devices)
      if (device.node === node) {
        device.leave();
        this.#devices.delete(device);
      }
    await this.#gateways[node]?.kill();
    this.#gateways[node] = await this.#engine.start(node);
    this.#certain[node] = Math.min(this.#certain[node] as number, this.#durable);
  }
}

const common = [
  ...['--port', '0', '--token-secret', tokenSecret, '--compat', 'd', '--connections-max-per-user', '1000'],
  ...['--handshakes-per-second-per-ip', '100000', '--http-connections-per-second-per-ip', '100000'],
];

/** Takes what is to be done at the end of a test. */
type Ending = (run: () => Promise<void>) => void;

const engines: Readonly<Record<string, (end: Ending) => Promise<Engine>>> = {
  memory: async () => ({ nodes: 1, isDurable: false, start: () => GatewayProcess.start(...common) }),
  async lmdb(end) {
    const path = await mkdtemp(join(tmpdir(), 'sluice-inboxes-'));
    end(() => rm(path, { recursive: true, force: true }));
    const start = () => GatewayProcess.start(...common, '--engine', 'lmdb', '--data-dir', path);
    return { nodes: 1, isDurable: true, start };
  },
  async redis(end) {
    const redis = await startRedis();
    end(() => redis.remove());
    const start = () => GatewayProcess.start(...common, '--engine', 'redis', '--redis', redis.url);
    return { nodes: 2, isDurable: true, start };
  },
};

it.for(Object.keys(engines))(
  'each session of a user gets what no client of the user has acknowledged, once: %s',
  { timeout: 120_000 + lives * 60_000 },
  async (name, { onTestFinished }) => {
    const engine = await (engines[name] as (end: Ending) => Promise<Engine>)(onTestFinished);
    const gateways = await Promise.all(Array.from({ length: engine.nodes }, (_, node) => engine.start(node)));
    onTestFinished(async () => void (await Promise.all(gateways.map((each) => each.kill()))));
    for (let seed = firstSeed; seed < firstSeed + lives; seed++) {
      let state = seed + 1;
      // A linear congruential generator, with the constants of Numerical Recipes.
      const draw = (below: number) => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
      };
      const user = `user-${seed}`;
      const life = new Life(engine, gateways, user, await signToken({ sub: user }), draw);
      try {
        // Of a user of whom nothing is known it is not known what was missed either.
        await life.connect();
        await life.settle();
        for (let step = 0; step < stepsPerLife; step++) await life.step();
        await life.settle();
      } catch (fault) {
        throw new Error(`SEED=${seed}: ${String(fault)}`, { cause: fault });
      } finally {
        life.close();
      }
    }
  },
);
