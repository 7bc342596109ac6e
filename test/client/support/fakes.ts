import { inquiring, refreshing } from '../../../src/client/core.ts';
import { SluiceClient } from '../../../src/client/index.ts';
import type { ClientOptions } from '../../../src/client/options.ts';
import type { Runtime, Socket, TimerHandle } from '../../../src/client/runtime.ts';
import { extras } from '../../../src/client/subscriptions/extras.ts';
import type { ClientFrame, CommandKind } from '../../../src/protocol/client-frames.ts';
import type { Reply, ServerFrame } from '../../../src/protocol/server-frames.ts';
import type { Codec } from '../../support/codecs.ts';
import { jsonCodec, protobufCodec } from '../../support/codecs.ts';
import { publicationOf } from '../../support/publication-of.ts';

// Most tests look at what a call or a message does in its own turn.
await Promise.all([inquiring.load(), refreshing.load(), extras.load()]);

/** A clock that only moves when it is told to, with its timers. */
export class FakeRuntime implements Runtime {
  #nowMs = 1_000_000;
  readonly #timers = new Map<object, { atMs: number; callback: () => void }>();
  /** Delays are drawn at their longest. */
  randomValue = 1;
  fetch: typeof fetch = () => Promise.reject(new TypeError('no server'));
  /** Callbacks that watch the network and the page. */
  readonly #watching = new Set<() => void>();

  #wallAheadMs = 0;

  now(): number {
    return this.#nowMs + this.#wallAheadMs;
  }

  /** Differs from the wall clock, so that code that confuses the two fails. */
  monotonicMs(): number {
    return this.#nowMs - 999_000;
  }

  /** The wall clock is set. */
  stepWall(ms: number): void {
    this.#wallAheadMs += ms;
  }

  random(): number {
    return this.randomValue;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const handle = {};
    this.#timers.set(handle, { atMs: this.#nowMs + delayMs, callback });
    return handle;
  }

  clearTimeout(handle: TimerHandle): void {
    this.#timers.delete(handle as object);
  }

  watch(noticed: () => void): () => void {
    this.#watching.add(noticed);
    return () => void this.#watching.delete(noticed);
  }

  get watchers(): number {
    return this.#watching.size;
  }

  /** The network is back, or the page is seen again. */
  notice(): void {
    for (const noticed of [...this.#watching]) noticed();
  }

  /** The machine sleeps: time passes, and no timer runs. */
  sleep(ms: number): void {
    this.#nowMs += ms;
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Moves on, runs what is due in its order, and lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const due = [...this.#timers]
        .filter(([, { atMs }]) => atMs <= endMs)
        .sort(([, a], [, b]) => a.atMs - b.atMs)[0];
      if (!due) break;
      const [handle, { atMs, callback }] = due;
      this.#timers.delete(handle);
      this.#nowMs = Math.max(this.#nowMs, atMs);
      callback();
      await settled();
    }
    this.#nowMs = endMs;
    await settled();
  }
}

/** Lets everything that is ready happen; no time passes. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** The other end of a socket, scripted by a test. */
export class FakeSocket implements Socket {
  readonly url: string;
  readonly protocol: string;
  binaryType = 'blob';
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  onerror: Socket['onerror'] = null;
  closedBy: { code?: number; reason?: string } | undefined;
  readonly frames: ClientFrame[] = [];

  constructor(url: string, protocols: string[] = []) {
    this.url = url;
    this.protocol = protocols[0] ?? '';
  }

  get #codec(): Codec {
    return this.protocol === jsonCodec.subprotocol ? jsonCodec : protobufCodec;
  }

  send(data: Uint8Array | string): void {
    const message = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    const decoded = this.#codec.decodeClientFrame(message);
    if (!decoded.ok) throw new Error(decoded.message);
    this.frames.push(decoded.frame);
  }

  close(code?: number, reason?: string): void {
    this.closedBy = { code, reason };
  }

  // -- what the gateway does --------------------------------------------------------------------------------------

  /** The newest command of a kind. */
  command<K extends CommandKind>(kind: K): Extract<ClientFrame, { kind: K }> {
    const frame = this.frames.filter((candidate) => candidate.kind === kind).at(-1);
    if (!frame) throw new Error(`no ${kind} was sent`);
    return frame as Extract<ClientFrame, { kind: K }>;
  }

  count(kind: CommandKind): number {
    return this.frames.filter((frame) => frame.kind === kind).length;
  }

  push(frame: Reply, id = 0): void {
    const bytes = this.#codec.encodeServerFrame({ ...frame, id } as ServerFrame);
    const binary = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    this.onmessage?.({ data: this.#codec.binary ? binary : new TextDecoder().decode(bytes) });
  }

  reply(kind: CommandKind, frame: Reply): void {
    this.push(frame, this.command(kind).id);
  }

  end(code = 1006, reason = ''): void {
    this.onclose?.({ code, reason });
  }

  greet(over: Partial<Extract<Reply, { kind: 'connected' }>> = {}): void {
    this.onopen?.();
    this.push({ ...greeting, ...over });
    this.reply('connect', { ...greeting, ...over });
  }
}

/** A class of sockets, and all that are made of it. */
export function recordedSockets() {
  const sockets: FakeSocket[] = [];
  class Recorded extends FakeSocket {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols);
      sockets.push(this);
    }
  }
  return { sockets, Recorded };
}

export const greeting = {
  kind: 'connected',
  session: 's1',
  timeMs: 1_000_000,
  version: 'test',
  limits: {
    frameMaxBytes: 65_536,
    payloadMaxBytes: 65_536,
    subscriptions: 100,
    commandsPerSecond: 100,
    idleTimeoutMs: 60_000,
  },
} as const;

export interface Harness {
  readonly client: SluiceClient;
  readonly runtime: FakeRuntime;
  readonly sockets: FakeSocket[];
  /** The newest one. */
  readonly socket: FakeSocket;
  /** Connects, or waits for the next attempt, and lets the client in. */
  arrive(): Promise<FakeSocket>;
  /** Ends the newest connection, waits for the next attempt, and lets the client in. */
  comeBack(): Promise<FakeSocket>;
}

export function harness({
  runtime = new FakeRuntime(),
  url = 'ws://gateway.test/ws',
  ...options
}: Omit<ClientOptions, 'runtime'> & { runtime?: FakeRuntime; url?: string } = {}): Harness {
  const { sockets, Recorded } = recordedSockets();
  const client = new SluiceClient(url, { WebSocket: Recorded, runtime, ...options });
  const h: Harness = {
    client,
    runtime,
    sockets,
    get socket() {
      const newest = sockets.at(-1);
      if (!newest) throw new Error('no socket was opened');
      return newest;
    },
    async arrive() {
      void client.connect();
      await settled();
      h.socket.greet();
      await settled();
      return h.socket;
    },
    async comeBack() {
      const before = sockets.length;
      h.socket.end();
      while (sockets.length === before) await runtime.advance(1_000);
      h.socket.greet();
      return h.socket;
    },
  };
  return h;
}

/** A client that was let in. */
export async function arrived(...options: Parameters<typeof harness>) {
  const h = harness(...options);
  return { h, socket: await h.arrive() };
}

/** A publication as it is in a batch. */
export function publication(
  offset: number,
  data: unknown = offset,
  over: { key?: string; removed?: boolean } = {},
) {
  const bytes = new TextEncoder().encode(JSON.stringify(data));
  const payload = { format: 'json', bytes } as const;
  return publicationOf({ offset, timestampMs: 1_000, type: 'test', payload, ...over });
}
