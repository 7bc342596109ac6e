import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { logStrangers, ProxyPort } from '../transport/proxy-port.ts';
import { SocketRelay } from '../transport/socket-relay.ts';
import { type Listening, listen } from '../transport/uws/listen.ts';
import { type App, maxHeadBytes, type Uws } from '../transport/uws/load.ts';
import { listenUnix } from '../transport/uws/unix-socket.ts';
import type { Entrance } from '../workers/passed-sockets.ts';
import { type CertificateFiles, checkCertificate, stampOf } from './certificate.ts';
import type { Environment, Swept } from './environment.ts';
import { ReplacedCertificate } from './replaced-certificate.ts';
import { ReservedPorts } from './reserved-ports.ts';
import type { AppRole, Serving } from './transport.ts';

/** Everything that a gateway listens on. */
export interface Listeners extends Swept {
  readonly port: number;
  readonly compatPort: number | undefined;
  readonly adminPort: number | undefined;
  readonly proxyPort: number | undefined;
  /** When the certificate of the port expires. Undefined: it has none. */
  readonly certificateValidUntil: Date | undefined;
  /** Looks whether the certificate has changed. */
  sweep(): void;
  /** Looks at the certificate at once. Resolves with what is wrong with a new one, if anything. */
  reloadCertificate(): Promise<Error | undefined>;
  /** Takes no more connections; those that are open stay. */
  stop(): void;
  /** Ends all connections. Call it after `stop`. */
  close(): void;
}

/** What a process needs in order to listen together with others. */
export interface SharedListening {
  /** Calls `take` with each connection that this process is given. */
  takePassed(take: (entrance: Entrance, socket: Socket) => void): void;
  /** This process is passed no more connections. */
  stopPassed(): void;
}

interface Ports {
  readonly port: number;
  readonly compatPort: number | undefined;
  readonly adminPort: number | undefined;
}

/**
 * Listens on all that the configuration names, or on nothing: rejects with a `ListenError` or a `CertificateError`.
 * `shared`: other processes of this gateway listen on the same ports.
 */
export async function openListeners(
  uws: Uws,
  environment: Pick<Environment, 'config' | 'log' | 'metrics' | 'monotonicMs'>,
  ports: Ports,
  serving: Serving,
  isProxy: (peerAddress: string) => boolean,
  shared?: SharedListening,
): Promise<Listeners> {
  const { config, log } = environment;
  const isShared = shared !== undefined;
  const opened = new OpenApps(uws, serving);
  const { host } = config;
  const adminHost = config.adminHost || host;
  const reserved = new ReservedPorts();
  try {
    const found = foundCertificate(config);
    const files = found?.files;
    // The certificate is replaced by listening once more on the same port: the port is shared with ourselves.
    const isListenedOnAnew = files !== undefined;
    // Workers were given a port that was free.
    if (isListenedOnAnew && !isShared && ports.port !== 0) await reserved.add(host, ports.port);
    const main = await opened.listen('public', files, host, ports.port, isShared || isListenedOnAnew);
    const compat = await opened.listenIf('apart', host, ports.compatPort, isShared);
    const admin = await opened.listenIf('admin', adminHost, ports.adminPort, isShared);
    const proxyPort = isShared
      ? await servePassed(opened, environment, shared)
      : await listenAlone(opened, environment, isProxy);
    const certificate =
      found &&
      new ReplacedCertificate({
        ...{ ...found, log, listening: main },
        listenAnew: () => opened.listen('public', files, host, main.port, true),
      });
    return {
      port: main.port,
      compatPort: compat?.port,
      adminPort: admin?.port,
      proxyPort,
      get certificateValidUntil() {
        return certificate?.validUntil;
      },
      sweep: () => certificate?.sweep(),
      reloadCertificate: async () => certificate?.reload(),
      stop: () => {
        certificate?.stop();
        opened.stop();
      },
      close: () => opened.close(),
    };
  } catch (error) {
    opened.stop();
    throw error;
  } finally {
    reserved.release();
  }
}

/** Undefined: there is none. Throws a `CertificateError`. */
function foundCertificate({ tlsCertFile, tlsKeyFile }: Config) {
  if (tlsCertFile === '') return undefined;
  const files: CertificateFiles = { certFile: tlsCertFile, keyFile: tlsKeyFile };
  // Takes the stamp first, so that files that are replaced meanwhile are looked at again.
  const stamp = stampOf(files);
  return { files, stamp, checked: checkCertificate(files) };
}

type Around = Pick<Environment, 'config' | 'log' | 'metrics' | 'monotonicMs'>;

/** Listens on the unix socket and the proxy port, which several processes can't share. Resolves with the proxy port. */
async function listenAlone(
  opened: OpenApps,
  environment: Around,
  isProxy: (peerAddress: string) => boolean,
): Promise<number | undefined> {
  const { config, log, metrics, monotonicMs } = environment;
  if (config.unixSocket !== '') await opened.listenUnix(config.unixSocket, unixMode(config));
  if (config.proxyPort === undefined) return undefined;
  const relay = await openRelay(opened, environment);
  const proxyPort = new ProxyPort({
    ...{ isProxy, metrics },
    connectionsMax: connectionsMaxOf(config),
    take: (socket) => relay.takeProxied(socket),
    isPassedOn: false,
    refused: logStrangers(log, monotonicMs),
  });
  const taken = await proxyPort.listen(config.host, config.proxyPort);
  opened.atStop(() => proxyPort.stop());
  return taken;
}

/** Serves the connections that another process has accepted on these. */
async function servePassed(
  opened: OpenApps,
  environment: Around,
  { takePassed, stopPassed }: SharedListening,
): Promise<undefined> {
  const { unixSocket, proxyPort } = environment.config;
  if (unixSocket === '' && proxyPort === undefined) return;
  const relay = await openRelay(opened, environment);
  takePassed((entrance, socket) => {
    if (entrance === 'unix') relay.take(socket);
    else relay.takeProxied(socket);
  });
  opened.atStop(stopPassed);
}

/** Opens an app of its own for such connections, on a unix socket in a folder that is closed to other users. */
async function openRelay(opened: OpenApps, { config, metrics }: Around): Promise<SocketRelay> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-proxies-'));
  opened.atClose(() => rmSync(folder, { recursive: true, force: true }));
  const socketPath = join(folder, 'app');
  // What was accepted before the end is still served.
  opened.atClose(await opened.listenUnixApp(socketPath, 0o600));
  const relay = new SocketRelay({
    ...{ socketPath, headMaxBytes: maxHeadBytes },
    connectionsMax: connectionsMaxOf(config),
    full: () => metrics.connectionsRejectedTotal.inc({ reason: 'too_many_connections' }),
  });
  opened.atClose(() => relay.close());
  return relay;
}

export function connectionsMaxOf({ connectionsMax, httpConnectionsMax }: Config): number {
  return connectionsMax + httpConnectionsMax;
}

export function unixMode(config: Config): number {
  return Number.parseInt(config.unixMode, 8);
}

/** The apps of a gateway. All of them serve until the end: connections outlive the listening. */
class OpenApps {
  readonly #uws: Uws;
  readonly #serving: Serving;
  readonly #apps: App[] = [];
  readonly #stops = new Set<() => void>();
  readonly #closes: (() => void)[] = [];

  constructor(uws: Uws, serving: Serving) {
    this.#uws = uws;
    this.#serving = serving;
  }

  async listen(
    role: AppRole,
    files: CertificateFiles | undefined,
    host: string,
    port: number,
    isShared: boolean,
  ): Promise<Listening> {
    const app =
      files === undefined
        ? this.#uws.App()
        : this.#uws.SSLApp({ cert_file_name: files.certFile, key_file_name: files.keyFile });
    this.#serving.serve(app, role);
    this.#apps.push(app);
    const { port: taken, stop } = await listen(this.#uws, app, host, port, isShared);
    const stopOnce = () => {
      if (this.#stops.delete(stopOnce)) stop();
    };
    this.#stops.add(stopOnce);
    return { port: taken, stop: stopOnce };
  }

  async listenIf(
    role: AppRole,
    host: string,
    port: number | undefined,
    isShared: boolean,
  ): Promise<Listening | undefined> {
    return port === undefined ? undefined : this.listen(role, undefined, host, port, isShared);
  }

  async listenUnix(path: string, mode: number): Promise<void> {
    this.#stops.add(await this.listenUnixApp(path, mode));
  }

  /** Resolves with how to stop. */
  async listenUnixApp(path: string, mode: number): Promise<() => void> {
    const app = this.#uws.App();
    this.#serving.serve(app, 'public', 'unix');
    this.#apps.push(app);
    return listenUnix(this.#uws, app, path, mode);
  }

  atStop(run: () => void): void {
    this.#stops.add(run);
  }

  atClose(run: () => void): void {
    this.#closes.push(run);
  }

  stop(): void {
    for (const stop of [...this.#stops]) stop();
    this.#stops.clear();
  }

  close(): void {
    for (const app of this.#apps) app.close();
    for (const close of this.#closes) close();
  }
}
