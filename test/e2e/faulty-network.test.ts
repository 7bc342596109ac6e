import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate, setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { SluiceClient, type Transport } from '../../src/client/index.ts';
import { platformRuntime, type Runtime } from '../../src/client/runtime.ts';
import { Publisher } from '../../src/publisher/index.ts';
import { gatewayOfFile } from '../support/sdk.ts';

const limits = { connectionsMaxPerIp: 10_000, handshakesPerSecondPerIp: 10_000 };
const gateway = gatewayOfFile({ ...limits, httpRequestsPerSecondPerIp: 10_000 });

/** What happens to a message of which a part has come. */
interface Way {
  passRest(rest: Buffer, to: Socket, from: Socket): Promise<void> | void;
}

const cut = (one: Socket, other: Socket): void => {
  one.destroy();
  other.destroy();
};

const ways: Readonly<Record<string, Way>> = {
  'resets the connection': {
    async passRest(_, to, from) {
      // What was written before a reset may otherwise be dropped with it.
      await setImmediate();
      to.resetAndDestroy();
      from.resetAndDestroy();
    },
  },
  'ends the connection': {
    passRest: (_, to, from) => void to.end(() => cut(to, from)),
  },
  'ends the connection to one side, which may still respond': {
    passRest: (_, to, from) => void to.end(() => void wait(20).then(() => cut(to, from))),
  },
  'holds back the rest for a while': {
    async passRest(rest, to) {
      await wait(5);
      to.write(rest);
    },
  },
  'passes the rest byte by byte': {
    async passRest(rest, to) {
      for (const byte of rest) {
        to.write(Buffer.of(byte));
        await setImmediate();
      }
    },
  },
};

/** How many bytes of a message with a head of this length pass before something happens. */
const places: Readonly<Record<string, (head: number, whole: number) => number>> = {
  'nothing of': () => 0,
  'the first byte of': () => 1,
  'a part of the first line of': () => 7,
  'the head without its last byte of': (head) => head - 1,
  'the head of': (head) => head,
  'the first byte of the body of': (head) => head + 1,
  'all but the last byte of': (_, whole) => whole - 1,
  'all of': (_, whole) => whole,
};

interface Fault extends Way {
  readonly direction: 'up' | 'down';
  place(head: number, whole: number): number;
}

/** The lengths of the first message's head and of the message, once it is complete. */
type Measure = (bytes: Buffer) => { readonly head: number; readonly whole: number } | undefined;

const measureHttp: Measure = (bytes) => {
  const text = bytes.toString('latin1');
  const head = text.indexOf('\r\n\r\n') + 4;
  const whole = head + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
  return head >= 4 && bytes.length >= whole ? { head, whole } : undefined;
};
/** Frames are written one by one. Small ones have a head of two bytes, and a mask of four. */
const measureFrame: Measure = (bytes) => ({ head: bytes.length > 6 ? 6 : 2, whole: bytes.length });

/**
 * Between a client and the gateway. The fault befalls the first publish that comes after `fail`, or its response, once.
 */
class FaultyProxy {
  readonly url: string;
  readonly #server;
  #fault: Fault | undefined;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (near: Socket) => this.#join(near));
  }

  static async open(): Promise<FaultyProxy> {
    const server = createServer({ allowHalfOpen: true });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new FaultyProxy(server);
  }

  fail(fault: Fault): void {
    this.#fault = fault;
  }

  /** Whether it has befallen a message. */
  get hasFailed(): boolean {
    return this.#fault === undefined;
  }

  close(): void {
    this.#server.close();
  }

  #join(near: Socket): void {
    const far = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true });
    let isSocket = false;
    let isMeant = false;
    const pass = async (direction: Fault['direction'], bytes: Buffer, measure: Measure): Promise<boolean> => {
      const [from, to] = direction === 'up' ? [near, far] : [far, near];
      const text = bytes.toString('latin1');
      isSocket ||= direction === 'up' && /upgrade: websocket/i.test(text);
      if (direction === 'up')
        isMeant = this.#fault !== undefined && (isSocket || text.startsWith('POST /api/publish'));
      const fault = isMeant && this.#fault?.direction === direction ? this.#fault : undefined;
      if (fault === undefined) {
        to.write(bytes);
        return true;
      }
      const lengths = measure(bytes);
      if (lengths === undefined) return false;
      this.#fault = undefined;
      const { head, whole } = lengths;
      const at = fault.place(head, whole);
      if (at > 0) to.write(bytes.subarray(0, at));
      await fault.passRest(bytes.subarray(at), to, from);
      return true;
    };
    for (const [direction, from, to] of [
      ['up', near, far],
      ['down', far, near],
    ] as const) {
      let bytes: Buffer = Buffer.alloc(0);
      from.setNoDelay(true);
      from
        .on('error', () => to.destroy())
        .on('close', () => to.destroy())
        .on('end', () => to.end());
      from.on('data', (chunk) => {
        bytes = Buffer.concat([bytes, chunk]);
        from.pause();
        void pass(direction, bytes, isSocket ? measureFrame : measureHttp).then((isPassed) => {
          if (isPassed) bytes = Buffer.alloc(0);
          from.resume();
        });
      });
    }
  }
}

type Publish = (topic: string, n: number) => Promise<unknown>;

/** Pauses before a command is sent again take no time here. */
const hasty: Runtime = {
  ...platformRuntime(),
  setTimeout: (run, delayMs) => setTimeout(run, delayMs === 1_000 ? 1 : delayMs),
};

async function sdkBy(transport: Transport, url: string) {
  const options = { WebSocket, runtime: hasty, reconnect: { delaysMs: [1] }, transports: [transport] };
  const client = new SluiceClient(`${url.replace('http', 'ws')}/ws`, options);
  client.onError(() => undefined);
  await client.connect();
  const publish: Publish = (topic, n) => client.publish(topic, 't', { n, ü: 'x'.repeat(100) });
  return { publish, close: () => client.close() };
}

function publisherOf(url: string) {
  const publisher = new Publisher({ url });
  const publish: Publish = (topic, n) => publisher.publish(topic, 't', { n });
  return { publish, close: () => publisher.close() };
}

const clients = {
  'the publisher': publisherOf,
  'the SDK by websocket': (url: string) => sdkBy('websocket', url),
  'the SDK by sse': (url: string) => sdkBy('sse', url),
  'the SDK by poll': (url: string) => sdkBy('poll', url),
} as const;

const count = 5;

test.each(
  Object.entries(clients).flatMap(([name, open]) =>
    Object.entries(ways).map(([way, { passRest }]) => [name, way, open, passRest] as const),
  ),
)(
  'what %s publishes is taken, once and in order, through a network that %s',
  async (name, way, open, passRest) => {
    const faults = Object.entries(places).flatMap(([part, place]) =>
      (['up', 'down'] as const).map((direction) => [part, { direction, place, passRest }] as const),
    );
    const outcomes = faults.map(async ([part, fault]) => {
      const proxy = await FaultyProxy.open();
      const { publish, close } = await open(proxy.url);
      const topic = `${name} ${way} ${part} ${fault.direction}`.replaceAll(/\W/g, '-');
      await publish(topic, 0);
      proxy.fail(fault);
      const published = Array.from({ length: count }, (_, n) => publish(topic, n + 1));
      await Promise.all(published);
      const { hasFailed } = proxy;
      await close();
      proxy.close();
      const page = await fetch(`${gateway.url}/api/topics/${topic}/history`);
      const { messages } = (await page.json()) as { readonly messages: readonly { data: { n: number } }[] };
      return [topic, hasFailed, messages.map(({ data }) => data.n)];
    });
    const expected = faults.map(([part, { direction }]) => [
      `${name} ${way} ${part} ${direction}`.replaceAll(/\W/g, '-'),
      true,
      Array.from({ length: count + 1 }, (_, n) => n),
    ]);
    expect(await Promise.all(outcomes)).toEqual(expected);
  },
);
