import { utf8 } from '../protocol/utf8.ts';

/**
 * An event that each receiver is sent with an `id` of its own. The ids of most receivers differ in their ends only: the
 * end is copied into bytes that all receivers share, so that each takes one call of the library (`bench -- sse`).
 */
export class IdentifiedEvent {
  /** An `id` line for the receiver of the last call, and the event from `#eventAt`. */
  #bytes: Uint8Array;
  #eventAt = 0;
  #idStart: string | undefined;
  #idEndLength = 0;

  constructor(event: Uint8Array) {
    this.#bytes = event;
  }

  get withoutId(): Uint8Array {
    return this.#bytes.subarray(this.#eventAt);
  }

  /**
   * The event after the line of its id; `idEnd` ends with the line. The next call may change the bytes, so the caller
   * has to write them at once.
   */
  withId(idStart: string, idEnd: Uint8Array): Uint8Array {
    if (idStart !== this.#idStart || idEnd.length !== this.#idEndLength) this.#lineUp(idStart, idEnd.length);
    this.#bytes.set(idEnd, this.#eventAt - idEnd.length);
    return this.#bytes;
  }

  #lineUp(idStart: string, idEndLength: number): void {
    const start = utf8(`id: ${idStart}`);
    const eventAt = start.length + idEndLength;
    const event = this.withoutId;
    const bytes = new Uint8Array(eventAt + event.length);
    bytes.set(start);
    bytes.set(event, eventAt);
    this.#bytes = bytes;
    this.#eventAt = eventAt;
    this.#idStart = idStart;
    this.#idEndLength = idEndLength;
  }
}
