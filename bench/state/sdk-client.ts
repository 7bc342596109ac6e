import { SluiceClient } from '../../src/client/client.ts';
import type { Transport } from '../../src/client/options.ts';
import { platformRuntime } from '../../src/client/runtime.ts';
import type { Filter } from '../../src/protocol/frames.ts';
import { LightSocket } from '../support/light-socket.ts';
import { StalledClient } from '../support/stalled-client.ts';
import { delaysMs, type ShownSubscription, type StateClient } from './clients.ts';
import type { Wish } from './plan.ts';

/** Where a client may use HTTP, WebSockets are refused for this long, and pass for as long again. */
const blockedMs = 2500;

/** The SDK, by one transport or by all as it chooses. Each attempt and each request goes to the next gateway. */
export class SdkClient extends StalledClient implements StateClient {
  readonly kind: string;
  readonly shown: readonly ShownSubscription[];
  readonly #client: SluiceClient;
  #requests = new AbortController();

  constructor(
    wishes: readonly Wish[],
    ports: readonly number[],
    index: number,
    transports: readonly Transport[],
  ) {
    super();
    this.kind = `SDK by ${transports.join()}`;
    let next = index;
    const elsewhere = (url: string) => url.replace(/:\d+\//, `:${ports[next++ % ports.length]}/`);
    const isBlocked = () => transports.length > 1 && Math.floor(performance.now() / blockedMs) % 2 === 0;
    const keep = (socket: LightSocket) => {
      this.line = socket;
    };
    this.#client = new SluiceClient(`ws://127.0.0.1:${ports[0]}/ws`, {
      WebSocket: class extends LightSocket {
        constructor(url: string, protocols?: string[]) {
          super(isBlocked() ? elsewhere(url).replace('/ws', '/healthz') : elsewhere(url), protocols);
          keep(this);
        }
      },
      reconnect: { delaysMs, jitter: 'full' },
      transports,
      runtime: {
        ...platformRuntime(),
        fetch: (url, init) => {
          const signals = [this.#requests.signal, ...(init?.signal ? [init.signal] : [])];
          return fetch(elsewhere(String(url)), { ...init, signal: AbortSignal.any(signals) });
        },
      },
    });
    this.shown = wishes.map((wish) => this.#subscribe(wish));
    // The gateway is away at times, and the client says so.
    this.#client.onError(() => undefined);
    this.#client.connect().catch(() => undefined);
  }

  override cut(): void {
    super.cut();
    this.#requests.abort();
    this.#requests = new AbortController();
  }

  close(): void {
    this.#client.close();
  }

  #subscribe(wish: Wish): ShownSubscription {
    const { topic, intervalMs, filter, keys } = wish;
    const told = new Map<string, Map<string, number>>();
    const problems: string[] = [];
    const subscription = this.#client.subscribe<{ n: number }>(topic, {
      intervalMs,
      filter: filter as Filter | undefined,
      keys,
    });
    // What an application draws: nothing but what it was told last.
    subscription.on('map', (entries, of) =>
      told.set(of, new Map([...entries].map(([key, { data }]) => [key, data.n]))),
    );
    subscription.on('error', ({ code }) => problems.push(code));
    return {
      wish,
      problems,
      get topics() {
        return [...told].filter(([, values]) => values.size > 0).map(([of]) => of);
      },
      values: (of) => told.get(of) ?? new Map(),
    };
  }
}
