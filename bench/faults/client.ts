import { SluiceClient } from '../../src/client/client.ts';
import type { ReceivedPublication } from '../../src/client/publication.ts';
import { platformRuntime } from '../../src/client/runtime.ts';
import type { Subscription } from '../../src/client/subscriptions/subscription.ts';
import { LightSocket } from '../support/light-socket.ts';
import { localAddress } from '../support/raw-client.ts';
import { StalledClient } from '../support/stalled-client.ts';
import { type Journal, kinds } from './journal.ts';
import { hashOf, type Marker, serialOf, topicOfClient, topics } from './plan.ts';

/** Short and spread delays, because a run is short. */
const reconnect = { delaysMs: [100, 200, 400, 800], jitter: 'full' } as const;

/** A client that writes everything that its application gets to the journal, in order. */
export interface FaultClient {
  readonly index: number;
  readonly isConnected: boolean;
  readonly isStalled: boolean;
  /** How often it was told that it lags. */
  readonly lags: number;
  readonly stats: { readonly connects: number; readonly gaps: number };
  readonly errors: readonly string[];
  /** Its position, for the report of clients that did not reach the end. */
  readonly where: string;
  hasReached(marker: Marker): boolean;
  /** When the gateway last asked it to reconnect; absent: not known. */
  readonly returnAtMs?: number | undefined;
  /** The network fails. */
  cut(): void;
  /** The application hangs. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** When a client reconnects: soon, or with the delays of the SDK and of browsers. */
export type ReturnPace = 'soon' | 'default';

/** A client of the real SDK. */
export class SdkClient extends StalledClient implements FaultClient {
  readonly index: number;
  readonly #journal: Journal;
  readonly #client: SluiceClient;
  readonly #subscription: Subscription;
  #started = false;
  #lagging = false;
  /** By the gateway's clock. Publications from before a client's return are not counted. */
  #greetedAtMs = 0;
  lags = 0;
  errors: string[] = [];

  constructor(index: number, ports: readonly number[], journal: Journal, pace: ReturnPace) {
    super();
    this.index = index;
    this.#journal = journal;
    const keep = (socket: LightSocket): void => {
      this.line = socket;
    };
    let next = index;
    this.#client = new SluiceClient(`ws://127.0.0.1:${ports[0]}/ws`, {
      WebSocket: class extends LightSocket {
        constructor(url: string, protocols?: string[]) {
          super(
            url.replace(/:\d+\//, `:${ports[next++ % ports.length]}/`),
            protocols,
            localAddress(index, 100),
          );
          keep(this);
        }
      },
      ...(pace === 'soon' ? { reconnect } : {}),
      // Otherwise a thousand clients would ask over HTTP why the gateway is down.
      runtime: { ...platformRuntime(), fetch: undefined },
    });
    this.#client.onConnect(({ timeMs }) => {
      this.#greetedAtMs = timeMs;
    });
    this.#client.onError((error) => this.errors.push(`${error.code}: ${error.message}`));
    this.#subscription = this.#client.subscribe(topics[topicOfClient(index)]!.name);
    this.#listen(this.#subscription);
    this.#client.connect();
  }

  get isConnected(): boolean {
    return this.#client.getStatus().state === 'connected';
  }

  get stats(): { readonly connects: number; readonly gaps: number } {
    return this.#client.getStats();
  }

  hasReached({ epoch, offset }: Marker): boolean {
    const position = this.#subscription.position;
    return position?.epoch === epoch && position.offset >= offset;
  }

  get where(): string {
    const { epoch, offset } = this.#subscription.position ?? { epoch: '', offset: -1 };
    const { state } = this.#client.getStatus();
    return `client ${this.index}: ${state}, ${this.#subscription.topic} ${this.#subscription.state} at ${epoch}/${offset}`;
  }

  close(): void {
    this.#client.close();
  }

  #listen(subscription: Subscription): void {
    const write = this.#journal.add.bind(this.#journal);
    const { index } = this;
    subscription.on('state', (state) => {
      this.#lagging = state === 'lagging';
      if (state === 'lagging') this.lags++;
      if (state !== 'live' || this.#started) return;
      this.#started = true;
      const { epoch, offset } = subscription.position!;
      write(kinds.start, index, epoch, offset);
    });
    subscription.on('publication', (publication, { epoch }) => {
      const isNews = !this.#lagging && publication.timestampMs >= this.#greetedAtMs;
      this.#write(isNews ? kinds.live : kinds.recovered, epoch, publication);
    });
    subscription.on('snapshot', (entries, { epoch, offset }) => {
      for (const publication of entries.values()) this.#write(kinds.entry, epoch, publication);
      write(kinds.snapshot, index, epoch, offset);
    });
    subscription.on('gap', ({ epoch, missing }) => {
      if (missing) write(kinds.lost, index, epoch, missing.after, missing.upto);
      else this.errors.push(`a gap of unknown extent in ${subscription.topic}`);
    });
    subscription.on('reset', ({ epoch, offset }) => write(kinds.reset, index, epoch, offset));
    subscription.on('error', (error) => this.errors.push(`${error.code}: ${error.message}`));
  }

  #write(kind: 4 | 5 | 6, epoch: string, { offset, bytes }: ReceivedPublication): void {
    this.#journal.add(kind, this.index, epoch, offset, hashOf(bytes), serialOf(bytes));
  }
}
