import type { Client } from '../client.ts';
import type { Published, RepeatedPublishOptions } from '../offline-queue.ts';
import type { Runtime } from '../runtime.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import {
  type Attachment,
  type CallName,
  type Calls,
  type Delegate,
  type DelegateEvent,
  handedOn,
  type RelayedPublishOptions,
} from './delegate.ts';

/** Delegates to a client in this tab or worker. */
export class ClientDelegate implements Delegate {
  readonly #client: Client;
  readonly #runtime: Pick<Runtime, 'monotonicMs'>;
  /** By messageId: publishes without an outcome. */
  readonly #publishes = new Map<unknown, Promise<Published>>();

  /** `runtime`: that of the client. */
  constructor(client: Client, runtime: Pick<Runtime, 'monotonicMs'>) {
    this.#client = client;
    this.#runtime = runtime;
  }

  get mayHaveSent(): boolean {
    return this.#client.getStats().connects > 0;
  }

  subscribe(
    topic: string,
    options: SubscribeOptions,
    listener: (events: readonly DelegateEvent[]) => void,
  ): Attachment {
    const subscription = this.#client.subscribe(topic, options);
    let arrived: DelegateEvent[] = [];
    let isOver = false;
    const flush = (): void => {
      if (isOver) return;
      const events = arrived;
      arrived = [];
      listener([...events, ['at', subscription.position, subscription.cursor]]);
    };
    const tell = (event: DelegateEvent): void => {
      if (arrived.push(event) === 1) queueMicrotask(flush);
    };
    for (const name of handedOn)
      subscription.on(name, (...args: unknown[]) => tell([name, ...args] as unknown as DelegateEvent));
    const stopMap = subscription.on('map', (_, name) => {
      tell(['isState', name]);
      // All topics of a namespace have one mode, so once is enough. While `map` has a listener each change copies it.
      if (!topic.endsWith('*') || topic.includes(':')) stopMap();
    });
    // It may be live already: another page of this client has the same one.
    tell(['state', subscription.state]);
    return {
      setKeys: (keys) => subscription.setKeys(keys),
      end: () => {
        flush();
        isOver = true;
        subscription.unsubscribe();
      },
    };
  }

  call<K extends CallName>(name: K, args: Parameters<Calls[K]>): Promise<Awaited<ReturnType<Calls[K]>>> {
    const run = this.#client[name] as (...args: unknown[]) => Promise<Awaited<ReturnType<Calls[K]>>>;
    if (name !== 'publish') return run.apply(this.#client, [...args]);
    return this.#publish(args as Parameters<Calls['publish']>) as ReturnType<typeof run>;
  }

  /**
   * A page that comes back to this client repeats what is under way, which has one outcome: refused once, it must not
   * be stored later, behind those after it.
   */
  #publish([topic, type, data, options]: Parameters<Calls['publish']>): Promise<Published> {
    const { sentMsAgo, ...rest } = (options ?? {}) as RelayedPublishOptions;
    const { messageId } = rest;
    const underWay = sentMsAgo === undefined ? undefined : this.#publishes.get(messageId);
    if (underWay !== undefined) return underWay;
    // 0 if the clock has not moved since.
    const lostAtMs = sentMsAgo === undefined ? undefined : this.#runtime.monotonicMs() - sentMsAgo;
    const repeated: RepeatedPublishOptions = { ...rest, lostAtMs };
    const published = this.#client.publish(topic, type, data, repeated);
    this.#publishes.set(messageId, published);
    const settled = () => {
      if (this.#publishes.get(messageId) === published) this.#publishes.delete(messageId);
    };
    published.then(settled, settled);
    return published;
  }
}
