import type { TemplatedApp, WebSocketBehavior } from 'uWebSockets.js';
import type { SocketData } from '../../src/transport/uws/connection.ts';

/** The far end of a socket. */
export interface Peer {
  receive(message: Uint8Array): void;
  closed(): void;
}

/** A connection, as the loop sees it. */
export interface Link {
  /** Everything that was sent to the peer and that it will never have. */
  readonly unread: readonly Uint8Array[];
  readonly isIdle: boolean;
  /** How many bytes the peer reads in one turn. */
  readBytes: number;
  /** When the buffer last shrank, or was empty. */
  progressAtMs: number;
  /** The peer went away without a word. */
  isAbandoned: boolean;
  drain(): void;
  poll(): void;
  close(): void;
}

export interface NetworkLimits {
  readonly backpressureMaxBytes: number;
  /** What fits between the gateway and a client that doesn't read. */
  readonly kernelBytes: number;
}

/** As many messages as uWebSockets.js keeps for one subscriber; the next one drains them. */
const queueMax = 32;

/**
 * What the gateway sees of uWebSockets.js, after its source (TopicTree.h, WebSocket.h, AsyncSocket.h): publishing
 * queues per subscriber; a drain ends with the first message that is over the limit, which alone is reported, and
 * forgets the rest; a direct send looks at the limit, then drains, then writes.
 */
export class Network {
  readonly limits: NetworkLimits;
  readonly nowMs: () => number;
  readonly sockets = new Set<Link>();
  readonly channels = new Map<string, Set<Socket>>();
  behavior: WebSocketBehavior<SocketData> = {};

  constructor(limits: NetworkLimits, nowMs: () => number) {
    this.limits = limits;
    this.nowMs = nowMs;
  }

  /** The part of the library's application that the gateway uses. */
  get app(): TemplatedApp {
    const part = {
      ws: (_: string, behavior: WebSocketBehavior<SocketData>) => {
        this.behavior = behavior;
      },
      any: () => undefined,
      publish: (channel: string, message: Uint8Array) => this.publish(channel, message),
    };
    return part as unknown as TemplatedApp;
  }

  open(data: SocketData, peer: Peer): Socket {
    const socket = new Socket(this, data, peer);
    this.sockets.add(socket);
    this.behavior.open?.(socket.asLibrary);
    return socket;
  }

  publish(channel: string, message: Uint8Array, sender?: Socket): void {
    for (const socket of this.channels.get(channel) ?? []) if (socket !== sender) socket.enqueue(message);
  }

  /** Between two phases of the loop. */
  drain(): void {
    for (const socket of this.sockets) socket.drain();
  }

  /** Clients read, full sockets become writable, closed ones are noticed. */
  poll(): void {
    for (const socket of [...this.sockets]) socket.poll();
  }
}

/** Bytes that were written count on; where each message ends in them tells when the peer has it. */
export class Socket implements Link {
  readonly #network: Network;
  readonly #data: SocketData;
  readonly #peer: Peer;
  readonly #channels = new Set<string>();
  #queue: Uint8Array[] = [];
  #inFlight: { readonly message: Uint8Array; readonly end: number }[] = [];
  /** Dropped in this turn and in the one before: the gateway may not have taken note of them yet. */
  #lost: Uint8Array[] = [];
  #lostBefore: Uint8Array[] = [];
  /** Bytes: given to the library, taken by the kernel, read by the peer. */
  #appended = 0;
  #written = 0;
  #read = 0;
  #isArmed = false;
  readBytes = Number.POSITIVE_INFINITY;
  progressAtMs: number;
  isAbandoned = false;
  isClosed = false;

  constructor(network: Network, data: SocketData, peer: Peer) {
    this.#network = network;
    this.#data = data;
    this.#peer = peer;
    this.progressAtMs = network.nowMs();
  }

  get asLibrary() {
    return this as unknown as Parameters<NonNullable<WebSocketBehavior<SocketData>['open']>>[0];
  }

  get unread(): readonly Uint8Array[] {
    return [
      ...this.#inFlight.map(({ message }) => message),
      ...this.#queue,
      ...this.#lost,
      ...this.#lostBefore,
    ];
  }

  get isIdle(): boolean {
    return this.#inFlight.length === 0 && this.#queue.length === 0 && !this.#isArmed;
  }

  /** The peer says something. */
  say(message: Uint8Array, isBinary: boolean): void {
    this.#network.behavior.message?.(this.asLibrary, message.slice().buffer, isBinary);
  }

  enqueue(message: Uint8Array): void {
    if (this.#queue.length === queueMax) this.drain();
    this.#queue.push(message);
  }

  drain(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const [i, message] of queue.entries()) {
      if (this.#isOverLimit()) {
        this.#lost.push(...queue.slice(i));
        this.#drop(message);
        return;
      }
      this.#write(message);
    }
  }

  poll(): void {
    this.#lostBefore = this.#lost;
    this.#lost = [];
    if (this.isAbandoned) {
      this.close();
      return;
    }
    this.#read = Math.min(this.#written, this.#read + this.readBytes);
    while ((this.#inFlight[0]?.end ?? Number.POSITIVE_INFINITY) <= this.#read) {
      this.#peer.receive((this.#inFlight.shift() as { message: Uint8Array }).message);
      if (this.isClosed) return;
    }
    if (!this.#isArmed || this.#read + this.#network.limits.kernelBytes <= this.#written) return;
    const before = this.getBufferedAmount();
    this.#flush();
    if (before === 0 || this.getBufferedAmount() < before) this.#network.behavior.drain?.(this.asLibrary);
  }

  // ---- what the gateway calls

  getUserData = (): SocketData => this.#data;
  getBufferedAmount = (): number => this.#appended - this.#written;

  send(message: Uint8Array): number {
    if (this.isClosed) throw new Error('send on a closed socket');
    if (this.#isOverLimit()) {
      this.#drop(message);
      return 2;
    }
    this.drain();
    this.#write(message);
    return this.getBufferedAmount() > 0 ? 0 : 1;
  }

  publish(channel: string, message: Uint8Array): void {
    this.#network.publish(channel, message, this);
  }

  cork(run: () => void): void {
    run();
  }

  subscribe(channel: string): void {
    this.#channels.add(channel);
    const members = this.#network.channels.get(channel) ?? new Set();
    this.#network.channels.set(channel, members.add(this));
  }

  /** What is queued already still goes out. */
  unsubscribe(channel: string): void {
    this.#channels.delete(channel);
    this.#network.channels.get(channel)?.delete(this);
  }

  /** What is on its way may be lost, as with any end. */
  end(): void {
    this.close();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const channel of [...this.#channels]) this.unsubscribe(channel);
    this.#network.sockets.delete(this);
    this.#network.behavior.close?.(this.asLibrary, 1006, new ArrayBuffer(0));
    this.#peer.closed();
  }

  #isOverLimit(): boolean {
    return this.getBufferedAmount() > this.#network.limits.backpressureMaxBytes;
  }

  #drop(message: Uint8Array): void {
    this.#network.behavior.dropped?.(
      this.asLibrary,
      message.slice().buffer,
      this.#data.connection?.codec.binary === true,
    );
  }

  #write(message: Uint8Array): void {
    const header = message.length < 126 ? 2 : message.length < 65_536 ? 4 : 10;
    if (this.getBufferedAmount() === 0) this.progressAtMs = this.#network.nowMs();
    this.#appended += header + message.length;
    this.#inFlight.push({ message: message.slice(), end: this.#appended });
    this.#flush();
  }

  #flush(): void {
    const written = Math.min(this.#appended, this.#read + this.#network.limits.kernelBytes);
    if (written > this.#written) {
      this.#written = written;
      this.progressAtMs = this.#network.nowMs();
    }
    this.#isArmed = this.#written < this.#appended;
  }
}
