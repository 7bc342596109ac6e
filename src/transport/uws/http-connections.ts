import type { HttpResponse, TemplatedApp } from 'uWebSockets.js';
import type { Metrics } from '../../metrics.ts';
import { peerAddressOf, type SocketKind } from './request-head.ts';

export interface HttpConnectionOptions {
  readonly max: number;
  /** How many HTTP connections there are files for, besides WebSockets. */
  readonly filesFree: () => number;
  /**
   * Counts a new connection of this peer. False: it has opened too many recently. Not asked while the gateway drains:
   * connections then end with their responses, so a client may need one for each request.
   */
  readonly admits: (peerAddress: string) => boolean;
  /** The gateway is about to end. */
  readonly isDraining: () => boolean;
  /** One of this peer was closed at once. */
  readonly refused: (code: 'too_many_connections' | 'rate_limited', peerAddress: string) => void;
  readonly metrics: Pick<
    Metrics,
    'connectionsRejectedTotal' | 'rateLimitedTotal' | 'httpConnections' | 'onScrape'
  >;
}

/**
 * This many connections of the administration are taken even when clients have taken all files that are meant for them:
 * there is a reserve.
 */
const operatorsMin = 8;

/**
 * Counts HTTP connections, from their first byte on, and closes those above the limit. The library tells the address of
 * a connection that opens, but not of one that closes. So new connections of an address are limited by rate; idle ones
 * are ended by the library after 10 s.
 */
export class HttpConnections {
  readonly #options: HttpConnectionOptions;
  #count = 0;
  /** Connections of apps that are watched apart. */
  #apart = 0;

  constructor(options: HttpConnectionOptions) {
    this.#options = options;
    options.metrics.onScrape(() => options.metrics.httpConnections.set(this.#count));
  }

  /** Counts those of this app, too. */
  watch(app: TemplatedApp, kind: SocketKind = 'tcp'): void {
    app.filter((response, change) => this.#changed(response, change, kind));
  }

  /**
   * Connections of this app have a limit of their own and no rate: an operator gets in, whatever the number of clients.
   * They take files as all others do.
   */
  watchApart(app: TemplatedApp): void {
    const changed = (response: HttpResponse, change: unknown): void => {
      this.#apart += Number(change);
      if (Number(change) <= 0 || this.#apart <= this.#mostApart()) return;
      this.#options.metrics.connectionsRejectedTotal.inc({ reason: 'too_many_connections' });
      response.close();
    };
    app.filter(changed);
  }

  /** Of all apps. */
  get count(): number {
    return this.#count + this.#apart;
  }

  /**
   * Whether connections end with their responses. They do when more than half of the places are taken: a client that
   * sends a request now and then would keep its connections for ever, and this way an address has no more than it may
   * open in 10 s. They do when the gateway drains: a balancer would send a request as the gateway closes.
   */
  get areEnding(): boolean {
    return this.#options.isDraining() || this.#count > this.#most() / 2;
  }

  /** One became a WebSocket: the library no longer counts it. */
  upgraded(): void {
    this.#count--;
  }

  /** Called by the library for each connection that opens (1) or closes (-1). */
  #changed(response: HttpResponse, change: unknown, kind: SocketKind): void {
    this.#count += Number(change);
    if (Number(change) > 0) this.#opened(response, kind);
  }

  #opened(response: HttpResponse, kind: SocketKind): void {
    const { admits, isDraining, metrics, refused } = this.#options;
    const isFull = this.#count > this.#most();
    const peer = peerAddressOf(response, kind);
    if (!isFull && (isDraining() || admits(peer))) return;
    const reason = isFull ? 'too_many_connections' : 'rate_limited';
    metrics.connectionsRejectedTotal.inc({ reason });
    if (!isFull) metrics.rateLimitedTotal.inc({ scope: 'connection' });
    refused(reason, peer);
    response.close();
  }

  #most(): number {
    return Math.min(this.#options.max, this.#options.filesFree() - this.#apart);
  }

  #mostApart(): number {
    const { max, filesFree } = this.#options;
    return Math.min(max, Math.max(operatorsMin, filesFree() - this.#count));
  }
}
