import { PollConnection } from '../support/poll-connection.ts';
import { localAddress } from '../support/raw-client.ts';
import type { Frame } from './frame-application.ts';
import { HttpFaultClient } from './http-client.ts';

/** Seconds that a poll waits. */
const timeoutSeconds = 5;

/** A client by polls, one after the other. A stalled one does not poll. */
export class PollClient extends HttpFaultClient {
  readonly #connection = new PollConnection(localAddress(this.index, 100));
  #isWaiting = false;

  override cut(): void {
    this.#connection.cut();
  }

  override resume(): void {
    super.resume();
    if (this.#isWaiting) this.open();
  }

  override close(): void {
    super.close();
    this.#connection.close();
  }

  protected open(): void {
    this.#isWaiting = this.isStalled;
    if (this.isStalled || this.isClosed) return;
    void this.#poll().then(
      () => (this.application.advisedMs === undefined ? this.open() : this.away()),
      () => this.away(),
    );
  }

  async #poll(): Promise<void> {
    const query = new URLSearchParams({
      topic: this.application.topic,
      timeoutSeconds: String(timeoutSeconds),
      ...(this.cursor !== '' && { cursor: this.cursor }),
    });
    const { status, headers, body } = await this.#connection.get(this.port, query);
    if (status === 503) {
      const retryAfter = headers['retry-after'];
      this.application.advisedMs = retryAfter === undefined ? undefined : Number(retryAfter) * 1000;
    }
    if (status !== 200 && status !== 204) {
      if (status !== 503) this.application.errors.push(`a poll was refused with ${status}`);
      throw new Error(body);
    }
    if (status === 200)
      for (const frame of (JSON.parse(body) as { events: Frame[] }).events) this.application.take(frame);
    this.cursor = String(headers['sluice-cursor'] ?? this.cursor);
  }
}
