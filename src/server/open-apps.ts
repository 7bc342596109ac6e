import { type Listening, listen } from '../transport/uws/listen.ts';
import type { App, Uws } from '../transport/uws/load.ts';
import { listenUnix } from '../transport/uws/unix-socket.ts';
import type { CertificateFiles } from './certificate.ts';
import type { AppRole, Serving } from './transport.ts';

/** Where an app listens. */
interface AppAddress {
  readonly host: string;
  readonly port: number;
  /** Others may listen on this port, too. */
  readonly isShared: boolean;
  /** Absent: it speaks without TLS. */
  readonly files?: CertificateFiles;
}

/** The apps of a gateway. All of them serve until the end: connections outlive the listening. */
export class OpenApps {
  readonly #uws: Uws;
  readonly #serving: Serving;
  readonly #apps: App[] = [];
  readonly #stops = new Set<() => void>();
  readonly #closes: (() => void)[] = [];

  constructor(uws: Uws, serving: Serving) {
    this.#uws = uws;
    this.#serving = serving;
  }

  async listen(role: AppRole, { host, port, isShared, files }: AppAddress): Promise<Listening> {
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
    { port, ...where }: Omit<AppAddress, 'port'> & { readonly port: number | undefined },
  ): Promise<Listening | undefined> {
    return port === undefined ? undefined : this.listen(role, { ...where, port });
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
