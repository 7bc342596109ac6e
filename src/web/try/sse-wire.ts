import type { Position } from '../../protocol/frames.ts';
import { streamUrl } from './stream-query.ts';
import {
  comeBackMs,
  type Frame,
  type NewPublication,
  publishByHttp,
  type ToldError,
  type TrySettings,
  told,
  type Wire,
  type WireListener,
} from './wire.ts';

/** The names of events other than publications, which come as `message`. */
const names = [
  'connected',
  'subscribed',
  'unsubscribed',
  'reset',
  'gap',
  'caughtUp',
  'lagging',
  'goingAway',
  'tokenExpiring',
  'gatewayState',
  'expired',
];

/** Server-Sent Events, by the browser's own EventSource. */
export class SseWire implements Wire {
  readonly #settings: TrySettings;
  readonly #listener: WireListener;
  #source: EventSource | undefined;
  #cursor: string | undefined;
  #timer = 0;

  constructor(settings: TrySettings, listener: WireListener) {
    this.#settings = settings;
    this.#listener = listener;
    this.#open();
  }

  publish(sent: NewPublication): Promise<Position> {
    return publishByHttp(sent, this.#settings.credential);
  }

  cut(): void {
    this.#source?.close();
    this.#listener.lost('cut');
    this.#timer = window.setTimeout(() => this.#open(), comeBackMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  #open(): void {
    this.#listener.connecting();
    const url = streamUrl('sse', this.#settings, this.#cursor, this.#settings.credential);
    const source = new EventSource(url);
    this.#source = source;
    source.onopen = () => this.#listener.connected();
    source.onmessage = (event) => this.#take(event);
    for (const name of names) source.addEventListener(name, (event) => this.#take(event, name));
    source.addEventListener('error', (event) => {
      // The gateway's own event has data; the browser's has none.
      if (event instanceof MessageEvent) this.#take(event, 'error');
      else if (source.readyState === EventSource.CLOSED) void this.#refused(url);
      else this.#listener.lost('the stream ended; the browser comes back by itself');
    });
  }

  /** EventSource does not tell why it was refused; another request for the same does. */
  async #refused(url: URL): Promise<void> {
    let error: ToldError | undefined;
    const reading = new AbortController();
    try {
      const response = await fetch(url, { signal: reading.signal });
      if (!response.ok) ({ error } = (await response.json()) as { readonly error?: ToldError });
    } catch {
      // The gateway is gone, or something else has replied.
    }
    reading.abort();
    this.#listener.ended(error === undefined ? 'the stream was refused' : told(error));
  }

  #take({ data, lastEventId }: MessageEvent<string>, name?: string): void {
    if (lastEventId !== '') this.#cursor = lastEventId;
    const frame = JSON.parse(data) as Frame;
    this.#listener.frame(name === undefined ? frame : { ...frame, type: name });
  }
}
