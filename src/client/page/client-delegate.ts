import type { Client } from '../client.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import type { Attachment, CallName, Calls, Delegate, DelegateEvent } from './delegate.ts';

/** Delegates to a client in this tab or worker. */
export class ClientDelegate implements Delegate {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
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
      listener([...events, { kind: 'at', position: subscription.position, cursor: subscription.cursor }]);
    };
    const tell = (event: DelegateEvent): void => {
      if (arrived.push(event) === 1) queueMicrotask(flush);
    };
    subscription.on('publication', (publication, meta) => tell({ kind: 'publication', publication, meta }));
    subscription.on('snapshot', (entries, at) =>
      tell({ kind: 'snapshot', publications: [...entries.values()], at }),
    );
    const stopMap = subscription.on('map', (_, name) => {
      tell({ kind: 'isState', topic: name });
      // All topics of a namespace have one mode, so once is enough. While `map` has a listener each change copies it.
      if (!topic.endsWith('*') || topic.includes(':')) stopMap();
    });
    subscription.on('gap', (gap) => tell({ kind: 'gap', gap }));
    subscription.on('recovered', (at) => tell({ kind: 'recovered', at }));
    subscription.on('caughtUp', (at) => tell({ kind: 'caughtUp', at }));
    subscription.on('lagging', () => tell({ kind: 'lagging' }));
    subscription.on('reset', (at) => tell({ kind: 'reset', at }));
    subscription.on('joined', (member, name) => tell({ kind: 'joined', member, topic: name }));
    subscription.on('left', (member, name) => tell({ kind: 'left', member, topic: name }));
    subscription.on('error', (error) => tell({ kind: 'error', error }));
    subscription.on('state', (state) => tell({ kind: 'state', state }));
    // It may be live already: another page of this client has the same one.
    tell({ kind: 'state', state: subscription.state });
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
    return run.apply(this.#client, args);
  }
}
