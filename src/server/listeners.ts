import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import { freePort, type Listening, listen } from '../transport/uws/listen.ts';
import type { App, Uws } from '../transport/uws/load.ts';
import { listenUnix } from '../transport/uws/unix-socket.ts';
import { type CertificateFiles, checkCertificate, stampOf } from './certificate.ts';
import type { Environment, Swept } from './environment.ts';
import type { AppRole, Serving } from './transport.ts';

/** Everything that a gateway listens on. */
export interface Listeners extends Swept {
  readonly port: number;
  readonly compatPort: number | undefined;
  readonly adminPort: number | undefined;
  /** Looks whether the certificate has changed. */
  sweep(): void;
  /** Looks at the certificate at once. Resolves with what is wrong with a new one, if anything. */
  reloadCertificate(): Promise<Error | undefined>;
  /** Takes no more connections; those that are open stay. */
  stop(): void;
  /** Ends all connections. Call it after `stop`. */
  close(): void;
}

interface Ports {
  readonly port: number;
  readonly compatPort: number | undefined;
  readonly adminPort: number | undefined;
}

/**
 * Listens on all that the configuration names, or on nothing: rejects with a `ListenError` or a `CertificateError`.
 * `isShared`: other processes of this gateway listen on the same ports.
 */
export async function openListeners(
  uws: Uws,
  { config, log }: Pick<Environment, 'config' | 'log'>,
  ports: Ports,
  serving: Serving,
  isShared: boolean,
): Promise<Listeners> {
  const opened = new OpenApps(uws, serving);
  const files = certificateFiles(config);
  const { host } = config;
  const adminHost = config.adminHost || host;
  try {
    const stamp = files && stampOf(files);
    const checked = files && checkCertificate(files);
    // The certificate is replaced by listening once more on the same port: the port is shared with ourselves.
    const port = files === undefined ? ports.port : await freePortUnless(isShared, host, ports.port);
    const main = await opened.listen('public', files, host, port, isShared || files !== undefined);
    const compat = await opened.listenIf('apart', host, ports.compatPort, isShared);
    const admin = await opened.listenIf('admin', adminHost, ports.adminPort, isShared);
    if (config.unixSocket !== '')
      await opened.listenUnix(config.unixSocket, Number.parseInt(config.unixMode, 8));
    const certificate =
      files &&
      new ReplacedCertificate({
        ...{ files, log, stamp: stamp ?? '', digest: checked?.digest ?? '', listening: main },
        listenAnew: () => opened.listen('public', files, host, main.port, true),
      });
    return {
      port: main.port,
      compatPort: compat?.port,
      adminPort: admin?.port,
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

function certificateFiles({ tlsCertFile, tlsKeyFile }: Config): CertificateFiles | undefined {
  return tlsCertFile === '' ? undefined : { certFile: tlsCertFile, keyFile: tlsKeyFile };
}

/** Workers were given a port that was free. */
async function freePortUnless(isShared: boolean, host: string, port: number): Promise<number> {
  return isShared ? port : freePort(host, port);
}

/** The apps of a gateway. All of them serve until the end: connections outlive the listening. */
class OpenApps {
  readonly #uws: Uws;
  readonly #serving: Serving;
  readonly #apps: App[] = [];
  readonly #stops = new Set<() => void>();

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
    const app = this.#uws.App();
    this.#serving.serve(app, 'public');
    this.#apps.push(app);
    this.#stops.add(await listenUnix(this.#uws, app, path, mode));
  }

  stop(): void {
    for (const stop of [...this.#stops]) stop();
    this.#stops.clear();
  }

  close(): void {
    for (const app of this.#apps) app.close();
  }
}

interface CertifiedPort {
  readonly files: CertificateFiles;
  readonly log: Pick<Log, 'info' | 'error'>;
  readonly listenAnew: () => Promise<Listening>;
  /** Of the files that `listening` has read. */
  readonly stamp: string;
  readonly digest: string;
  readonly listening: Listening;
}

/**
 * The certificate of a port. A new one is an app of its own that listens on the same port before the old one stops to;
 * connections of the old one stay. One that can't be used changes nothing, nor do files that were only touched: the
 * library frees no app.
 */
class ReplacedCertificate {
  readonly #port: CertifiedPort;
  #stamp: string;
  #digest: string;
  #listening: Listening;
  #isStopped = false;
  /** One after the other. */
  #reloading: Promise<Error | undefined> = Promise.resolve(undefined);

  constructor(port: CertifiedPort) {
    this.#port = port;
    this.#stamp = port.stamp;
    this.#digest = port.digest;
    this.#listening = port.listening;
  }

  sweep(): void {
    if (stampOf(this.#port.files) !== this.#stamp) void this.reload();
  }

  reload(): Promise<Error | undefined> {
    this.#stamp = stampOf(this.#port.files);
    this.#reloading = this.#reloading.then(() => this.#replace());
    return this.#reloading;
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #replace(): Promise<Error | undefined> {
    const { files, log, listenAnew } = this.#port;
    if (this.#isStopped) return undefined;
    try {
      const { validUntil, digest } = checkCertificate(files);
      if (digest === this.#digest) return undefined;
      const next = await listenAnew();
      await aWholeTurn();
      this.#listening.stop();
      this.#listening = next;
      this.#digest = digest;
      log.info({ validUntil, certFile: files.certFile }, 'the certificate was replaced');
      return undefined;
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      log.error({ err: error }, 'the new certificate can’t be used: the old one stays');
      return error;
    }
  }
}

/**
 * Resolves at the end of a turn in which the event loop has looked at all sockets: the kernel resets the connections
 * that a listener has not accepted when it closes.
 */
async function aWholeTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}
