import { SluiceClient } from '../../client/index.ts';
import type { Position } from '../../protocol/frames.ts';
import type { Frame, NewPublication, TrySettings, Wire, WireListener } from './wire.ts';

/** The SDK: a WebSocket with protobuf. It reports publications and events, where the other wires show frames. */
export class SdkWire implements Wire {
  readonly #client: SluiceClient;
  #socket: WebSocket | undefined;

  constructor({ topic, filter, intervalMs, last, credential }: TrySettings, listener: WireListener) {
    const opened = (socket: WebSocket) => {
      this.#socket = socket;
    };
    class Observed extends WebSocket {
      constructor(url: string, protocols?: string | string[]) {
        super(url, protocols);
        opened(this);
      }
    }
    this.#client = new SluiceClient('ws', {
      token: credential,
      clientName: 'try',
      transports: ['websocket'],
      WebSocket: Observed,
    });
    this.#client.on('state', ({ state, error }) => {
      const why = error === undefined ? 'the connection ended' : `${error.message} (${error.code})`;
      if (state === 'connected') listener.connected();
      else if (state === 'reconnecting') listener.lost(why);
      else if (state === 'closed') listener.ended(why);
      else listener.connecting();
    });
    const frame = (type: string, members: object) => listener.frame({ type, ...members } as Frame);
    const subscription = this.#client.subscribe(topic, { filter, intervalMs, last });
    subscription.on('publication', (publication, { epoch }) => {
      const { timestampMs, offset, key, tags } = publication;
      const data = publication.format === 'json' ? publication.data : `${publication.bytes.length} bytes`;
      const timestamp = new Date(timestampMs).toISOString();
      frame(publication.type, { topic: publication.topic, key, tags, data, timestamp, offset, epoch });
    });
    subscription.on('snapshot', (entries, at) => {
      const messages = [...entries.values()].map(({ type, key, data }) => ({ type, key, data }));
      frame('snapshot', { ...at, messages });
    });
    for (const event of ['gap', 'recovered', 'caughtUp', 'reset', 'lagging'] as const)
      subscription.on(event, (...[told]: readonly object[]) => frame(event, { ...told }));
    subscription.on('error', ({ code, message }) => frame('error', { code, message }));
    this.#client.connect().catch((error: Error) => frame('error', { message: error.message }));
  }

  publish({ topic, type, data, tags }: NewPublication): Promise<Position> {
    return this.#client.publish(topic, type, data, { tags });
  }

  cut(): void {
    this.#socket?.close();
  }

  close(): void {
    this.#client.close();
  }
}
