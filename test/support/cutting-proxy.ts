import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Between a client and a gateway. Cuts all connections when it is asked to, or when enough bytes have gone down. */
export class CuttingProxy {
  /** How often it cut a connection by itself. */
  cuts = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((near) => this.#join(near));
  readonly #target: URL;
  readonly #delayMs: number;
  #left = Number.POSITIVE_INFINITY;
  #cut: () => void = () => undefined;
  #isSilent = false;

  private constructor(url: string, delayMs: number) {
    this.#target = new URL(url);
    this.#delayMs = delayMs;
  }

  /** `url`: of the gateway. `delayMs`: how long everything takes, each way. */
  static async open(url: string, delayMs = 0): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(url, delayMs);
    await once(proxy.#server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get wsUrl(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/ws`;
  }

  /** Resolves when the client was sent this number of bytes and its connection was cut, at any byte. */
  async cutAfter(bytes: number): Promise<void> {
    this.#left = bytes;
    await new Promise<void>((resolve) => {
      this.#cut = resolve;
    });
    this.cuts++;
  }

  /** From now on nothing arrives at any client. No connection ends. */
  silence(): void {
    this.#isSilent = true;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #join(near: Socket): void {
    const far = connect(Number(this.#target.port), this.#target.hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
    }
    near.on('data', (chunk) => this.#later(() => far.write(chunk)));
    far.on('data', (chunk) => this.#later(() => this.#down(near, chunk)));
  }

  #later(run: () => void): void {
    if (this.#delayMs > 0) setTimeout(run, this.#delayMs);
    else run();
  }

  /** What came before the cut still arrives. */
  #down(near: Socket, chunk: Buffer): void {
    if (this.#isSilent) return;
    const passing = chunk.subarray(0, this.#left);
    this.#left -= passing.length;
    if (this.#left > 0) near.write(passing);
    else {
      this.#left = Number.POSITIVE_INFINITY;
      near.end(passing);
      this.cut();
      this.#cut();
    }
  }
}
