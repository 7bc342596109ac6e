import type { Position } from '../../protocol/frames.ts';
import { streamUrl } from './stream-query.ts';
import {
  anotherServer,
  comeBackMs,
  type Frame,
  headersOf,
  type NewPublication,
  publishByHttp,
  type ToldError,
  type TrySettings,
  told,
  type Wire,
  type WireListener,
} from './wire.ts';

/** Long polling, by fetch. */
export class PollWire implements Wire {
  readonly #settings: TrySettings;
  readonly #listener: WireListener;
  readonly #closed = new AbortController();
  #request = new AbortController();
  #cursor: string | undefined;

  constructor(settings: TrySettings, listener: WireListener) {
    this.#settings = settings;
    this.#listener = listener;
    listener.connecting();
    void this.#run();
  }

  publish(sent: NewPublication): Promise<Position> {
    return publishByHttp(sent, this.#settings.credential);
  }

  cut(): void {
    this.#request.abort();
  }

  close(): void {
    this.#closed.abort();
    this.#request.abort();
  }

  async #run(): Promise<void> {
    let isConnected = false;
    while (!this.#closed.signal.aborted) {
      try {
        if (!isConnected) this.#listener.connecting();
        if (!(await this.#poll())) return;
        if (!isConnected) this.#listener.connected();
        isConnected = true;
      } catch {
        if (this.#closed.signal.aborted) return;
        isConnected = false;
        this.#listener.lost('the poll had no response');
        await new Promise((resolve) => setTimeout(resolve, comeBackMs));
      }
    }
  }

  /** False: it was refused for good. */
  async #poll(): Promise<boolean> {
    this.#request = new AbortController();
    const url = streamUrl('poll', this.#settings, this.#cursor, undefined);
    const { signal } = this.#request;
    const response = await fetch(url, { headers: headersOf(this.#settings.credential), signal });
    const cursor = response.headers.get('sluice-cursor');
    const body =
      response.status === 204
        ? {}
        : ((await response.json()) as { readonly events?: readonly Frame[]; readonly error?: ToldError });
    if (body.error !== undefined) return this.#refused(response.status, body.error);
    if (cursor === null) throw new Error(anotherServer);
    for (const frame of body.events ?? []) this.#listener.frame(frame);
    this.#cursor = cursor;
    return true;
  }

  #refused(status: number, error: ToldError): boolean {
    if (status === 429 || status >= 500) throw new Error(told(error));
    this.#listener.ended(told(error));
    return false;
  }
}
