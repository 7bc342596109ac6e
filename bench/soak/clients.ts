import { EventStreamClient } from '../support/event-stream-client.ts';
import { HttpPool } from '../support/http-pool.ts';
import { SteeredPacer } from '../support/pacer.ts';
import { seededRandom } from '../support/payload.ts';
import { PollConnection } from '../support/poll-connection.ts';
import { localAddress, opcodes, RawClient } from '../support/raw-client.ts';
import { serveCalls } from '../support/worker.ts';

/** Clients of all transports that come and go, and a publisher. */

export interface StartOptions {
  readonly port: number;
  readonly clients: number;
  /** Clients per second that end and are replaced. */
  readonly churn: number;
  /** Publications per second. */
  readonly rate: number;
  readonly seed: number;
}

export interface ClientsReport {
  readonly opened: number;
  readonly failed: number;
  readonly open: number;
  readonly received: number;
  readonly published: number;
  readonly refused: number;
}

const busyTopics = 40;
/** Each publication ends a poll, so polling clients have topics with few publications. */
const rareTopics = 10;
const rarePerSecond = 1;
const perAddress = 50;

interface Client {
  /** Gone without a word. */
  destroy(): void;
}
type Open = (index: number, gone: () => void) => Client;

let options: StartOptions;
let random: () => number;
let pool: HttpPool;
const clients: (Client | undefined)[] = [];
const pacers: SteeredPacer[] = [];
const counts = { opened: 0, failed: 0, received: 0, published: 0, refused: 0 };

const below = (count: number) => Math.floor(random() * count);
const busy = () => `busy:${below(busyTopics)}`;
const rare = () => `rare:${below(rareTopics)}`;
const text = (value: unknown) => Buffer.from(JSON.stringify(value));

/** The subscriptions of WebSockets, so that every kind of view comes and goes. */
const subscriptions: readonly (() => Record<string, unknown>)[] = [
  () => ({ topic: busy() }),
  () => ({ topic: busy(), last: 10 }),
  () => ({ topic: busy(), filter: { op: 'eq', tag: 'level', value: String(below(4)) } }),
  () => ({ topic: busy(), intervalMs: 1000 }),
  () => ({ topic: 'rare:*' }),
  () => ({ topic: `server:${below(busyTopics)}` }),
];

function openWebSocket(index: number, gone: () => void): Client {
  const client: RawClient = new RawClient(
    { port: options.port, path: '/ws', localAddress: localAddress(index, perAddress), wantedBytes: 0 },
    {
      opened: () => {
        counts.opened++;
        const topic = busy();
        const asked = subscriptions[below(subscriptions.length)]!();
        client.send(opcodes.text, text({ type: 'subscribe', id: 1, ...asked }));
        client.send(opcodes.text, text({ type: 'history', id: 2, topic, limit: 5 }));
        client.send(opcodes.text, text({ type: 'ping', id: 3 }));
      },
      frame: () => counts.received++,
      closed: gone,
    },
  );
  return client;
}

function openStream(index: number, gone: () => void): Client {
  let isOpen = false;
  return new EventStreamClient(
    {
      port: options.port,
      path: `/sse?topic=${busy()}&topic=rare:*`,
      localAddress: localAddress(index, perAddress),
    },
    {
      event: () => {
        if (!isOpen) counts.opened++;
        isOpen = true;
        counts.received++;
      },
      closed: gone,
    },
  );
}

function openPolls(index: number, gone: () => void): Client {
  const connection = new PollConnection(localAddress(index, perAddress));
  const query = new URLSearchParams({ topic: rare(), timeoutSeconds: '5' });
  let isOver = false;
  const poll = async () => {
    while (!isOver) {
      const { status, headers } = await connection.get(options.port, query);
      if (status !== 200 && status !== 204) throw new Error(`a poll was refused with ${status}`);
      if (!query.has('cursor')) counts.opened++;
      query.set('cursor', String(headers['sluice-cursor']));
      counts.received++;
    }
  };
  poll().catch(() => {
    if (!isOver) gone();
  });
  return {
    destroy() {
      isOver = true;
      connection.close();
    },
  };
}

/** Of ten clients. */
const kinds: readonly Open[] = [
  ...Array.from({ length: 6 }, () => openWebSocket),
  openStream,
  openStream,
  openPolls,
  openPolls,
];

function open(index: number): void {
  clients[index] = kinds[index % kinds.length]!(index, () => {
    counts.failed++;
    clients[index] = undefined;
  });
}

/** Ends one and opens another in its place; one that the gateway ended is opened again. */
function churn(): void {
  const index = below(options.clients);
  clients[index]?.destroy();
  open(index);
}

async function publish(topic: string, serial: number): Promise<void> {
  const body = {
    topic,
    type: 'update',
    key: `k${serial % 20}`,
    tags: { level: String(serial % 4) },
    ...(serial % 100 === 0 && { messageId: `m${options.seed}-${serial}` }),
    data: { serial, note: 'x'.repeat(100 + (serial % 100)) },
  };
  const answer = await pool.post('/api/publish', JSON.stringify(body)).catch(() => undefined);
  if (answer?.status === 200) counts.published++;
  else counts.refused++;
}

/** Publishes to each topic once, so that all exist before anything is counted. */
async function warmUp({ port }: { readonly port: number }): Promise<void> {
  pool = new HttpPool(port, 16);
  options = { port, clients: 0, churn: 0, rate: 0, seed: 0 };
  const names = Array.from({ length: busyTopics }, (_, i) => [`busy:${i}`, `server:${i}`]).flat();
  const rares = Array.from({ length: rareTopics }, (_, i) => `rare:${i}`);
  await Promise.all([...names, ...rares].map((name, i) => publish(name, i + 1)));
}

function start(chosen: StartOptions): void {
  options = chosen;
  random = seededRandom(chosen.seed);
  for (let i = 0; i < chosen.clients; i++) open(i);
  const busyRate = chosen.rate - rareTopics * rarePerSecond;
  const kind = (serial: number) => (serial % 4 === 0 ? 'server' : 'busy');
  pacers.push(
    new SteeredPacer(busyRate, (serial) => void publish(`${kind(serial)}:${serial % busyTopics}`, serial)),
    new SteeredPacer(
      rareTopics * rarePerSecond,
      (serial) => void publish(`rare:${serial % rareTopics}`, serial),
    ),
    new SteeredPacer(chosen.churn, churn),
  );
}

function report(): ClientsReport {
  return { ...counts, open: clients.filter((client) => client !== undefined).length };
}

/** Ends everything. */
function stop(): ClientsReport {
  const last = report();
  for (const pacer of pacers) pacer.stop();
  for (const client of clients) client?.destroy();
  pool.close();
  return last;
}

const handlers = { warmUp, start, report, stop };
export type ClientsCalls = typeof handlers;
serveCalls(handlers);
