import type { Position } from '../../protocol/frames.ts';
import { streamUrl } from './stream-query.ts';
import {
  type Asked,
  comeBackMs,
  type Frame,
  publishByHttp,
  type Sent,
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
  readonly #asked: Asked;
  readonly #listener: WireListener;
  #source: EventSource | undefined;
  #cursor: string | undefined;
  #timer = 0;

  constructor(asked: Asked, listener: WireListener) {
    this.#asked = asked;
    this.#listener = listener;
    this.#open();
  }

  publish(sent: Sent): Promise<Position> {
    return publishByHttp(sent, this.#asked.credential);
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
    const source = new EventSource(streamUrl('sse', this.#asked, this.#cursor, this.#asked.credential));
    this.#source = source;
    source.onopen = () => this.#listener.connected();
    source.onmessage = (event) => this.#take(event);
    for (const name of names) source.addEventListener(name, (event) => this.#take(event, name));
    source.addEventListener('error', (event) => {
      // The gateway's own event has data; the browser's has none.
      if (event instanceof MessageEvent) this.#take(event, 'error');
      else if (source.readyState === EventSource.CLOSED)
        this.#listener.ended('the gateway refused the stream');
      else this.#listener.lost('the stream ended; the browser comes back by itself');
    });
  }

  #take({ data, lastEventId }: MessageEvent<string>, name?: string): void {
    if (lastEventId !== '') this.#cursor = lastEventId;
    const frame = JSON.parse(data) as Frame;
    this.#listener.frame(name === undefined ? frame : { ...frame, type: name });
  }
}
