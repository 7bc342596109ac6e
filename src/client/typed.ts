import type { Client, HistoryPage } from './client.ts';
import type { PageClient } from './page/page-client.ts';
import type { PageSubscribeOptions } from './page/page-subscription.ts';
import type { PublishOptions } from './publication.ts';
import type { SubscribeOptions } from './subscriptions/subscribe-options.ts';
import type { PublicationListener, Subscription } from './subscriptions/subscription.ts';

/** The topics and patterns that have a type. */
type TopicOf<Topics> = Extract<keyof Topics, string>;

/** A client whose topics have types: `{ stats: Stats; [server: `server:${string}`]: Server }`. */
export interface TypedClient<Topics, Options extends SubscribeOptions = SubscribeOptions>
  extends Omit<Client, 'subscribe' | 'publish' | 'history'> {
  subscribe<K extends TopicOf<Topics>>(
    topic: K,
    options?: Options | PublicationListener<Topics[K]>,
    listener?: PublicationListener<Topics[K]>,
  ): Subscription<Topics[K]>;
  publish<K extends TopicOf<Topics>>(
    topic: K,
    type: string,
    data: Topics[K],
    options?: PublishOptions,
  ): ReturnType<Client['publish']>;
  /** Deletes a key of a state topic. */
  publish(
    topic: TopicOf<Topics>,
    type: string,
    data: undefined,
    options: PublishOptions & { readonly removed: true },
  ): ReturnType<Client['publish']>;
  history<K extends TopicOf<Topics>>(
    topic: K,
    options?: Parameters<Client['history']>[1],
  ): Promise<HistoryPage<Topics[K]>>;
}

/** The same client, with the types of its topics. Nothing is checked at run time. */
export function typed<Topics>(client: PageClient): TypedClient<Topics, PageSubscribeOptions>;
export function typed<Topics>(client: Client): TypedClient<Topics>;
export function typed<Topics>(client: Client): TypedClient<Topics> {
  return client as TypedClient<Topics>;
}
