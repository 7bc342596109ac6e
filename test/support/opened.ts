type Closable = { close(): unknown } | { kill(): unknown };

/** What a test has opened, to be closed once it is over. */
export class Opened {
  readonly #all: Closable[] = [];

  add<T extends Closable>(one: T): T {
    this.#all.push(one);
    return one;
  }

  async open<T extends Closable>(opening: Promise<T>): Promise<T> {
    return this.add(await opening);
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.splice(0).map((one) => ('kill' in one ? one.kill() : one.close())));
  }
}
