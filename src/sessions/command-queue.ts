/** Of the messages whose commands wait for the one that is run; a single one may be larger. */
export const queuedMaxBytes = 256 * 1024;
/** What an entry takes besides. */
const entryBytes = 256;

/** Commands of one session that wait for the one before, in their order. */
export class CommandQueue<T> {
  readonly #commands: { readonly command: T; readonly bytes: number }[] = [];
  #bytes = 0;

  /** `bytes`: of its message; 0: one of the gateway's own, which always has room. False: too much waits already. */
  add(command: T, bytes: number): boolean {
    const size = bytes + entryBytes;
    if (bytes > 0 && this.#commands.length > 0 && this.#bytes + size > queuedMaxBytes) return false;
    this.#commands.push({ command, bytes: size });
    this.#bytes += size;
    return true;
  }

  next(): T | undefined {
    const next = this.#commands.shift();
    this.#bytes -= next?.bytes ?? 0;
    return next?.command;
  }
}
