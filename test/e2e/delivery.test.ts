import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { publishOf } from '../../src/protocol/publication.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';

const sockets = 1000;
const stalledSockets = 10;
/** PUBLICATIONS=1000 makes more of them; `bench -- fanout` and `stalled` measure the same for longer. */
const publications = Number(process.env['PUBLICATIONS'] ?? 300);

/** Counts what comes of a topic without parsing payloads: there are a million. */
class Receiver {
  readonly socket: WebSocket;
  /** The offset that must come next in `ticks`. */
  next = 1;
  ticks = 0;
  fat = 0;
  faults = 0;
  subscribed = 0;
  /** The topics in which it has been caught up after it lagged. */
  readonly caughtUp = new Set<string>();
  #done: (() => void) | undefined;

  constructor(url: string, topics: readonly string[]) {
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on('open', () => {
      this.socket.send(
        JSON.stringify({ type: 'subscribe', id: 1, subscriptions: topics.map((topic) => ({ topic })) }),
      );
    });
    this.socket.on('message', (data: Buffer) => this.#take(data.toString('latin1')));
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#done = resolve;
      });
    }
  }

  #take(text: string): void {
    const isData =
      text.startsWith('{"type":"tick"') ||
      text.startsWith('{"type":"fat"') ||
      text.startsWith('{"type":"batch"');
    if (text.includes('"id":1')) this.subscribed = 1;
    if (text.startsWith('{"type":"caughtUp"')) this.#caughtUpIn(JSON.parse(text));
    if (isData) {
      for (const [, topic, offset] of text.matchAll(/"topic":"(ticks|fat)","data":.*?"offset":(\d+)/g)) {
        if (topic === 'fat') this.fat++;
        else this.#tick(Number(offset));
      }
    }
    this.#done?.();
  }

  /** Where something is missing, that is told first, and the end of catching up by a frame of its own. */
  #caughtUpIn({ topic, recovered }: { readonly topic: string; readonly recovered: boolean }): void {
    if (recovered) this.caughtUp.add(topic);
  }

  #tick(offset: number): void {
    this.ticks++;
    if (offset !== this.next) this.faults++;
    this.next = offset + 1;
  }
}

async function publishTicks(gateway: TestGateway, everyMs: number): Promise<void> {
  for (let i = 1; i <= publications; i++) {
    const data = new TextEncoder().encode(JSON.stringify({ i, at: Date.now(), pad: 'x'.repeat(100) }));
    await gateway.broker.publish([
      publishOf({ topic: 'ticks', type: 'tick', payload: { format: 'json', bytes: data } }),
    ]);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/**
 * How much the kernel takes of a connection is its own affair, so this goes on until all that do not read lag. A reader
 * may lag for a moment too, and be one of the number: so it has to be reached three times in a row.
 */
async function publishUntilLagging(gateway: TestGateway): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify('f'.repeat(60_000)));
  for (let reached = 0; reached < 3; ) {
    reached = (await gateway.metric('sluice_sessions_lagging')) < stalledSockets ? 0 : reached + 1;
    for (let i = 0; i < 10; i++) {
      await gateway.broker.publish([
        publishOf({ topic: 'fat', type: 'fat', payload: { format: 'json', bytes } }),
      ]);
    }
  }
}

let gateway: TestGateway;
let receivers: Receiver[] = [];

afterEach(async () => {
  for (const { socket } of receivers) socket.terminate();
  receivers = [];
  await gateway.close();
});

async function start(stalled: number): Promise<void> {
  gateway = await startGateway({
    connectionsMaxPerIp: 2 * sockets,
    handshakesPerSecondPerIp: 2 * sockets,
    // Clients that do not read do not answer pings: none is to end for that, however long a busy machine takes.
    idleTimeoutSeconds: 300,
    writeTimeoutSeconds: 600,
  });
  receivers = Array.from(
    { length: sockets },
    (_, i) => new Receiver(gateway.wsUrl, i < stalled ? ['ticks', 'fat'] : ['ticks']),
  );
  await Promise.all(receivers.map((receiver) => receiver.until(() => receiver.subscribed === 1)));
}

describe('1000 sockets on one topic', () => {
  it('get 100 publications a second once and in order, and the metrics count what they counted', async () => {
    await start(0);
    await publishTicks(gateway, 10);
    await Promise.all(receivers.map((receiver) => receiver.until(() => receiver.ticks >= publications)));
    expect(receivers.filter(({ ticks, faults }) => ticks !== publications || faults > 0)).toHaveLength(0);
    expect(await gateway.metric('sluice_connections')).toBe(sockets);
    expect(await gateway.metric('sluice_deliveries_total')).toBe(sockets * publications);
    expect(await gateway.metric('sluice_drops_total')).toBe(0);
  });

  it('do so too when ten of them stop reading, and those ten miss nothing once they read again', async () => {
    await start(stalledSockets);
    const stalled = receivers.slice(0, stalledSockets);
    const healthy = receivers.slice(stalledSockets);
    for (const { socket } of stalled) socket.pause();
    await publishUntilLagging(gateway);
    await publishTicks(gateway, 1);
    await Promise.all(healthy.map((receiver) => receiver.until(() => receiver.ticks >= publications)));
    expect(healthy.filter(({ ticks, faults }) => ticks !== publications || faults > 0)).toHaveLength(0);
    expect(await gateway.metric('sluice_sessions_lagging')).toBe(stalledSockets);
    const listed = await fetch(`${gateway.url}/api/connections?lagging=true`);
    const { connections } = (await listed.json()) as { connections: object[] };
    const lags = { lagging: true, unsentBytes: expect.any(Number) };
    expect(connections).toEqual(Array(stalledSockets).fill(expect.objectContaining(lags)));
    expect(stalled.every(({ ticks }) => ticks < publications)).toBe(true);

    for (const { socket } of stalled) socket.resume();
    // It may have all ticks and still lag in another topic.
    const heard = ['ticks', 'fat', '$all'];
    await Promise.all(
      stalled.map((receiver) => receiver.until(() => heard.every((topic) => receiver.caughtUp.has(topic)))),
    );
    expect(stalled.filter(({ ticks, faults }) => ticks !== publications || faults > 0)).toHaveLength(0);
    expect(await gateway.metric('sluice_sessions_lagging')).toBe(0);
    const counted = receivers.reduce((sum, { ticks, fat: fats }) => sum + ticks + fats, 0);
    expect(await gateway.metric('sluice_deliveries_total')).toBe(counted);
  });
});
