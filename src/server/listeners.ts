import { rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import type { Config } from '../config.ts';
import { logStrangers, ProxyPort } from '../transport/proxy-port.ts';
import { SocketRelay } from '../transport/socket-relay.ts';
import { holdResponse } from '../transport/uws/held-response.ts';
import { headMaxBytes, type Uws } from '../transport/uws/load.ts';
import type { ParentListener } from '../workers/passed-sockets.ts';
import { type CertificateFiles, checkCertificate, stampOf } from './certificate.ts';
import type { Environment, Swept } from './environment.ts';
import { OpenApps } from './open-apps.ts';
import { makeRelayFolder, relaySocket } from './relay-folder.ts';
import { ReplacedCertificate } from './replaced-certificate.ts';
import { ReservedPorts } from './reserved-ports.ts';
import type { ListeningPorts } from './running.ts';
import type { Serving } from './transport.ts';

/** Everything that a gateway listens on. */
export interface Listeners extends Swept {
  readonly ports: ListeningPorts;
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
  takePassed(take: (listener: ParentListener, socket: Socket) => void): void;
  /** This process is passed no more connections. */
  stopPassed(): void;
}

type Around = Pick<Environment, 'config' | 'log' | 'metrics' | 'monotonicMs'>;

export interface ListenersOptions {
  readonly uws: Uws;
  readonly environment: Around;
  /** Those to listen on; 0: any that is free. */
  readonly ports: Omit<ListeningPorts, 'proxyPort'>;
  readonly serving: Serving;
  readonly isProxy: (peerAddress: string) => boolean;
  /** Other processes of this gateway listen on the same ports. Undefined: none does. */
  readonly shared: SharedListening | undefined;
}

/**
 * Listens on all that the configuration names, or on nothing: rejects with a `ListenError` or a `CertificateError`.
 */
export async function openListeners(options: ListenersOptions): Promise<Listeners> {
  const { uws, environment, ports, serving, isProxy, shared } = options;
  const { host, adminHost } = environment.config;
  const isShared = shared !== undefined;
  const opened = new OpenApps(uws, serving);
  try {
    // A worker asks its parent for each place, so it also upgrades its first client in a later turn.
    if (isShared) await corkBeside(opened, uws, serving);
    const { main, certificate } = await openMain(opened, environment, ports.port, isShared);
    const compat = await opened.listenIf('apart', { host, port: ports.compatPort, isShared });
    const admin = await opened.listenIf('admin', {
      host: adminHost || host,
      port: ports.adminPort,
      isShared,
    });
    const proxyPort = isShared
      ? await servePassed(opened, environment, serving, shared)
      : await listenAlone(opened, environment, serving, isProxy);
    return {
      ports: { port: main.port, compatPort: compat?.port, adminPort: admin?.port, proxyPort },
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
  }
}

async function corkBeside(opened: OpenApps, uws: Uws, serving: Serving): Promise<void> {
  // Without it the library writes a warning.
  const heldResponse = await holdResponse(uws).catch(() => undefined);
  if (heldResponse === undefined) return;
  opened.atClose(() => heldResponse.close());
  serving.corkBeside(heldResponse);
}

/** Listens on the port for everyone, with the certificate if there is one. */
async function openMain(
  opened: OpenApps,
  { config, log, monotonicMs }: Around,
  port: number,
  isShared: boolean,
) {
  const { host } = config;
  const certificate = foundCertificate(config);
  if (certificate === undefined)
    return { main: await opened.listen('public', { host, port, isShared }), certificate: undefined };
  const { files } = certificate;
  const reserved = new ReservedPorts();
  try {
    // Workers were given a port that was free.
    if (!isShared && port !== 0) await reserved.add(host, port);
    // The certificate is replaced by listening once more on the same port: the port is shared with ourselves.
    const main = await opened.listen('public', { host, port, isShared: true, files });
    const listenAnew = () => opened.listen('public', { host, port: main.port, isShared: true, files });
    const around = { log, monotonicMs, listening: main, listenAnew };
    return { main, certificate: new ReplacedCertificate({ ...certificate, ...around }) };
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

/** Listens on the unix socket and the proxy port, which several processes can't share. Resolves with the proxy port. */
async function listenAlone(
  opened: OpenApps,
  environment: Around,
  serving: Serving,
  isProxy: (peerAddress: string) => boolean,
): Promise<number | undefined> {
  const { config, log, metrics, monotonicMs } = environment;
  if (config.unixSocket !== '') await opened.listenUnix(config.unixSocket, unixMode(config));
  if (config.proxyPort === undefined) return undefined;
  const relay = await openRelay(opened, environment, serving);
  const proxyPort = new ProxyPort({
    isProxy,
    metrics,
    connectionsMax: connectionsMaxOf(config),
    take: (socket) => relay.takeProxied(socket),
    isPassedOn: false,
    refused: logStrangers(log, monotonicMs),
  });
  const port = await proxyPort.listen(config.host, config.proxyPort);
  opened.atStop(() => proxyPort.stop());
  return port;
}

/** Serves the connections that another process has accepted on these. */
async function servePassed(
  opened: OpenApps,
  environment: Around,
  serving: Serving,
  { takePassed, stopPassed }: SharedListening,
): Promise<undefined> {
  const { unixSocket, proxyPort } = environment.config;
  if (unixSocket === '' && proxyPort === undefined) return;
  const relay = await openRelay(opened, environment, serving);
  takePassed((listener, socket) => {
    if (listener === 'unix') relay.take(socket);
    else relay.takeProxied(socket);
  });
  opened.atStop(stopPassed);
}

/** Opens an app of its own for such connections, on a unix socket in a folder that is closed to other users. */
async function openRelay(
  opened: OpenApps,
  { config, metrics }: Around,
  serving: Serving,
): Promise<SocketRelay> {
  const folder = await makeRelayFolder(tmpdir());
  opened.atClose(() => rmSync(folder, { recursive: true, force: true }));
  const socketPath = relaySocket(folder);
  // What was accepted before the end is still served.
  opened.atClose(await opened.listenUnixApp(socketPath, 0o600));
  const relay = new SocketRelay({
    socketPath,
    headMaxBytes,
    connectionsMax: connectionsMaxOf(config),
    hasFiles: () => serving.canRelay(),
    full: () => metrics.connectionsRejectedTotal.inc({ reason: 'too_many_connections' }),
  });
  serving.countRelayed(() => relay.count);
  opened.atClose(() => relay.close());
  return relay;
}

export function connectionsMaxOf({ connectionsMax, httpConnectionsMax }: Config): number {
  return connectionsMax + httpConnectionsMax;
}

export function unixMode(config: Config): number {
  return Number.parseInt(config.unixMode, 8);
}
