import type { SluiceClient, Subscription } from '../client/index.ts';
import type { DeliveryMeter } from './delivery.ts';
import type { Machine } from './machine.ts';
import type { Publication } from './reading.ts';

/** Pages of history: as much as the charts can show, at one publication per second and type. */
const mostPages = 20;

/**
 * Fills a machine from its topic: by the snapshot, the live stream and the history, so that the charts have no hole
 * after a reload or an outage. Calls `changed` after each.
 */
export class Watch {
  readonly subscription: Subscription<unknown>;
  readonly #client: SluiceClient;
  readonly #topic: string;
  readonly #machine: Machine;
  readonly #changed: () => void;
  #seen: number | undefined;

  constructor(
    client: SluiceClient,
    topic: string,
    machine: Machine,
    meter: DeliveryMeter,
    changed: () => void,
  ) {
    this.#client = client;
    this.#topic = topic;
    this.#machine = machine;
    this.#changed = changed;
    this.subscription = client.subscribe(topic, {}, (publication) => {
      this.#measure(publication.timestampMs, meter);
      this.#seen = publication.offset;
      this.#take([publication]);
    });
    this.subscription.on('snapshot', (entries) => this.#take([...entries.values()]));
    this.subscription.on('reset', () => {
      this.#seen = undefined;
    });
    this.subscription.on('state', (state) => {
      if (state === 'live') void this.#refill();
    });
  }

  stop(): void {
    this.subscription.unsubscribe();
  }

  #take(publications: readonly Publication[]): void {
    for (const publication of publications) {
      try {
        this.#machine.take(publication);
      } catch {
        // A payload that is not JSON: its reading is missing, which the chart shows.
      }
    }
    this.#changed();
  }

  /** Publications from a time when the page was disconnected don't count as late. */
  #measure(timestampMs: number, meter: DeliveryMeter): void {
    const { serverOffsetMs, connectedAtMs = 0 } = this.#client.getStatus();
    if (timestampMs >= connectedAtMs + serverOffsetMs)
      meter.arrived(performance.now(), Date.now() + serverOffsetMs - timestampMs);
  }

  async #refill(): Promise<void> {
    let after = this.#seen;
    try {
      for (let pages = 0; pages < mostPages; pages++) {
        const page = await this.#client.history(this.#topic, { after, limit: 1_000 });
        this.#take(page.publications);
        if (!page.more) return;
        after = page.upto;
      }
    } catch {
      // Not permitted, or the connection is lost again: the charts begin with live samples.
    }
  }
}
