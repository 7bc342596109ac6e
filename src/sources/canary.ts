import WebSocket from 'ws';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { publishOf } from '../protocol/publication.ts';
import { utf8 } from '../protocol/utf8.ts';
import type { Source, SourceClock, SourcePublish } from './source.ts';
import { systemClock } from './source.ts';

const canaryTopic = '$canary';

export interface CanaryOptions {
  /** Of the gateway's own WebSocket, over loopback. */
  readonly url: string;
  /** They let it subscribe to a topic of Sluice's own. */
  readonly headers: Readonly<Record<string, string>>;
  readonly intervalMs: number;
  readonly publish: SourcePublish;
  readonly log: Pick<Log, 'warn' | 'info'>;
  readonly metrics: Pick<Metrics, 'canarySeconds' | 'sourceErrorsTotal'>;
  readonly clock?: SourceClock;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs?: () => number;
}

/**
 * A client inside the gateway. It publishes regularly and measures the time until it receives the publication over a
 * real connection, as a client on this machine would.
 */
export class Canary implements Source {
  readonly name = 'canary';
  readonly #options: CanaryOptions;
  readonly #monotonicMs: () => number;
  #socket: WebSocket | undefined;
  #stopTicking: (() => void) | undefined;
  #subscribed = false;
  /** The last try failed, and the log says so. */
  #isFailing = false;
  /** When the publication that it waits for was published. */
  #sentAtMs: number | undefined;

  constructor(options: CanaryOptions) {
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
  }

  start(): void {
    this.#connect();
    this.#stopTicking = (this.#options.clock ?? systemClock).every(this.#options.intervalMs, () =>
      this.#tick(),
    );
  }

  async stop(): Promise<void> {
    this.#stopTicking?.();
    this.#socket?.terminate();
    this.#socket = undefined;
  }

  #tick(): void {
    if (this.#socket === undefined) this.#connect();
    else if (this.#subscribed && this.#sentAtMs === undefined) this.#sing();
  }

  #sing(): void {
    this.#sentAtMs = this.#monotonicMs();
    const payload = { format: 'json', bytes: utf8('null') } as const;
    this.#options
      .publish([publishOf({ topic: canaryTopic, type: 'canary', payload, ttlMs: 1000 })])
      .catch((error: unknown) => {
        this.#sentAtMs = undefined;
        this.#failed(error);
      });
  }

  #connect(): void {
    const socket = new WebSocket(this.#options.url, {
      headers: this.#options.headers,
      perMessageDeflate: false,
      // Its own gateway, over loopback: the certificate need not name that address.
      rejectUnauthorized: false,
    });
    this.#socket = socket;
    socket.on('open', () => {
      // The list of connections shows this name.
      socket.send(JSON.stringify({ type: 'connect', client: this.name }));
      socket.send(JSON.stringify({ type: 'subscribe', id: 1, topic: canaryTopic }));
    });
    socket.on('message', (data) => this.#hear(data.toString()));
    socket.on('error', (error) => {
      // A canary that stops while it connects has not failed.
      if (this.#socket === socket) this.#failed(error);
    });
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#subscribed = false;
      this.#sentAtMs = undefined;
    });
  }

  #hear(text: string): void {
    if (text.startsWith('{"type":"canary"') && this.#sentAtMs !== undefined) {
      this.#options.metrics.canarySeconds.observe((this.#monotonicMs() - this.#sentAtMs) / 1000);
      this.#sentAtMs = undefined;
      if (this.#isFailing) this.#options.log.info('the canary works again');
      this.#isFailing = false;
    } else if (text.startsWith('{"type":"subscribed","id":1,')) {
      this.#subscribed = true;
    }
  }

  #failed(error: unknown): void {
    this.#options.metrics.sourceErrorsTotal.inc({ source: this.name });
    if (!this.#isFailing)
      this.#options.log.warn({ err: error }, 'the canary fails: no publication of its own reaches it');
    this.#isFailing = true;
  }
}
