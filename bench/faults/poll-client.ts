import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { localAddress } from '../support/raw-client.ts';
import type { Frame } from './frame-application.ts';
import { HttpFaultClient } from './http-client.ts';

/** Seconds that a poll waits. */
const timeoutSeconds = 5;

/** A client by polls, one after the other. A stalled one does not poll. */
export class PollClient extends HttpFaultClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #request: ClientRequest | undefined;
  #isWaiting = false;

  override cut(): void {
    this.#request?.destroy();
  }

  override resume(): void {
    super.resume();
    if (this.#isWaiting) this.open();
  }

  override close(): void {
    super.close();
    this.#agent.destroy();
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
    const response = await this.#get(`/poll?${query}`);
    const body = await text(response);
    const { statusCode: status, headers } = response;
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

  #get(path: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      this.#request = request(
        {
          host: '127.0.0.1',
          port: this.port,
          path,
          agent: this.#agent,
          localAddress: localAddress(this.index, 100),
        },
        resolve,
      );
      this.#request.on('error', reject);
      this.#request.end();
    });
  }
}
