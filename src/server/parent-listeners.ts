import { trustedPeer } from '../auth/client-address.ts';
import type { Config } from '../config.ts';
import { logStrangers, ProxyPort } from '../transport/proxy-port.ts';
import { listenForOthers } from '../transport/unix-port.ts';
import type { SocketPasser } from '../workers/passed-sockets.ts';
import type { Environment } from './environment.ts';
import { connectionsMaxOf, unixMode } from './listeners.ts';
import { clientSocketsMax } from './open-files.ts';

/** What the parent of several workers listens on for them: the unix socket, and the port of the PROXY protocol. */
export class ParentListeners {
  readonly #environment: Pick<Environment, 'config' | 'log' | 'metrics' | 'monotonicMs'>;
  readonly #passer: SocketPasser;
  readonly #stops: (() => void)[] = [];
  #isProxy: (peerAddress: string) => boolean;

  constructor(
    environment: Pick<Environment, 'config' | 'log' | 'metrics' | 'monotonicMs'>,
    passer: SocketPasser,
  ) {
    this.#environment = environment;
    this.#passer = passer;
    this.#isProxy = proxiesOf(environment.config);
  }

  /** Whether there is any. */
  get isAny(): boolean {
    const { unixSocket, proxyPort } = this.#environment.config;
    return unixSocket !== '' || proxyPort !== undefined;
  }

  /** Resolves with the proxy port. Rejects with a `ListenError` or a `UnixSocketError`. */
  async open(): Promise<number | undefined> {
    const { config, log, metrics, monotonicMs } = this.#environment;
    const { host, unixSocket } = config;
    // Each is open here until a worker has it.
    const openMax = Math.min(connectionsMaxOf(config), clientSocketsMax());
    if (unixSocket !== '')
      this.#stops.push(
        await listenForOthers(unixSocket, unixMode(config), openMax, (socket) =>
          this.#passer.pass('unix', socket),
        ),
      );
    if (config.proxyPort === undefined) return undefined;
    const port = new ProxyPort({
      metrics,
      isProxy: (peer) => this.#isProxy(peer),
      connectionsMax: openMax,
      take: (socket) => this.#passer.pass('proxy', socket),
      isPassedOn: true,
      refused: logStrangers(log, monotonicMs),
    });
    const address = await port.listen(host, config.proxyPort);
    this.#stops.push(() => port.stop());
    return address;
  }

  /** The trusted proxies are read anew. */
  reload(): void {
    this.#isProxy = proxiesOf(this.#environment.config);
  }

  /** Takes no more connections. */
  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }
}

function proxiesOf({ trustedProxies }: Config): (peerAddress: string) => boolean {
  return trustedPeer(trustedProxies, false);
}
