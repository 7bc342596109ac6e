/** Replies and pushes that wait for a full buffer to drain: how many, and how many bytes of them. */
export const waitingMessagesMax = 100;
export const waitingMaxBytes = 256 * 1024;

/** What waits for the buffer of one connection to drain, in its order. */
export class Outbox {
  #messages: Uint8Array[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False: that was too much. A single message may have any size. */
  add(message: Uint8Array): boolean {
    this.#messages.push(message);
    this.#bytes += message.length;
    const { length } = this.#messages;
    return length <= waitingMessagesMax && (length === 1 || this.#bytes <= waitingMaxBytes);
  }

  /** Sends what waits until `send` answers that the buffer is full. Returns whether anything was sent. */
  flush(send: (message: Uint8Array) => boolean): boolean {
    let sent = 0;
    while (sent < this.#messages.length && send(this.#messages[sent] as Uint8Array)) {
      this.#bytes -= (this.#messages[sent] as Uint8Array).length;
      sent++;
    }
    this.#messages = sent === this.#messages.length ? [] : this.#messages.slice(sent);
    return sent > 0;
  }
}
