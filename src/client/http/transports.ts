import type { ClientError } from '../client-error.ts';
import type { Runtime, Socket, TimerHandle } from '../runtime.ts';
import { HttpSocket } from './http-socket.ts';
import { receiveStream } from './receive.ts';

/** How frames come: `websocket`, `sse` (a stream of Server-Sent Events), or `poll`. */
export type Transport = 'websocket' | 'sse' | 'poll';

export interface TransportsOptions {
  /** In the order in which they are tried. */
  readonly transports: readonly Transport[];
  /** Between two polls; 0: the gateway holds each poll until there is something. */
  readonly pollIntervalMs: number;
}

export interface TransportsPort {
  readonly runtime: Runtime;
  openWebSocket(url: string, protocol: string): Socket;
  /** The first transport works again. */
  better(): void;
}

/** Reasons why a transport may work where the one before it did not: the gateway, or something there, responds. */
const reasonsToFallBack: ReadonlySet<string> = new Set([
  'upgrade_failed',
  'http_version',
  'socket_refused',
  'timeout',
  'not_found',
  'connection_failed',
]);

const firstLookMs = 5_000;
const longestLookMs = 60_000;

/**
 * Chooses how the client connects: falls back where a transport is refused on the way, and looks from time to time
 * whether the first one works again.
 */
export class Transports {
  #index = 0;
  #url = '';
  #protocol = '';
  #timer: TimerHandle | undefined;
  #lookMs = firstLookMs;
  readonly #options: TransportsOptions;
  readonly #port: TransportsPort;

  constructor(options: TransportsOptions, port: TransportsPort) {
    this.#options = options;
    this.#port = port;
  }

  get current(): Transport {
    return this.#options.transports[this.#index] ?? 'websocket';
  }

  open(url: string, protocol: string, token: string | undefined): Socket {
    this.#url = url;
    this.#protocol = protocol;
    if (this.current === 'websocket') return this.#port.openWebSocket(url, protocol);
    return new HttpSocket(url, token, receiveStream, this.#port.runtime);
  }

  connected(): void {
    this.#lookMs = firstLookMs;
    if (this.#index > 0 && this.#options.transports[0] === 'websocket') this.#lookLater();
  }

  /** Ended, or about to be ended. */
  disconnected(): void {
    if (this.#timer !== undefined) this.#port.runtime.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** An attempt to connect has failed. */
  failed({ code }: ClientError): void {
    if (reasonsToFallBack.has(code)) this.#index = (this.#index + 1) % this.#options.transports.length;
  }

  #lookLater(): void {
    this.#timer = this.#port.runtime.setTimeout(() => this.#look(), this.#lookMs);
    this.#lookMs = Math.min(2 * this.#lookMs, longestLookMs);
  }

  /** Whether a WebSocket opens now. */
  #look(): void {
    let isOver = false;
    const socket = this.#port.openWebSocket(this.#url, this.#protocol);
    const end = (opened: boolean): void => {
      if (isOver) return;
      isOver = true;
      socket.onclose = null;
      socket.close();
      if (this.#timer === undefined) return;
      if (opened) {
        this.#index = 0;
        this.#port.better();
      } else this.#lookLater();
    };
    socket.onerror = () => {};
    // The first message, not the opening: a proxy may open what it never serves.
    socket.onmessage = () => end(true);
    socket.onclose = () => end(false);
    this.#port.runtime.setTimeout(() => end(false), firstLookMs);
  }
}
