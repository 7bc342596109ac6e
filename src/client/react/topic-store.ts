import type { Client, ClientError, SubscribeOptions, Subscription, SubscriptionState } from '../index.ts';
import type { PageSubscribeOptions } from '../page/page-subscription.ts';

/** `deliver` is an option of a `PageClient`; other clients deliver everything at once. */
export type HookOptions = SubscribeOptions & Pick<PageSubscribeOptions, 'deliver'>;

/** What a component sees of a subscription. A new object after each change. */
export interface TopicView<T, V> {
  readonly value: V;
  readonly state: SubscriptionState;
  readonly error: ClientError | undefined;
  /** Publications were lost since the subscription began, and were named by `gap`. */
  readonly hasGap: boolean;
  readonly subscription: Subscription<T> | undefined;
}

/** Called when the subscription begins: adds listeners that set the value, and returns the first value. */
export type Follow<T, V> = (subscription: Subscription<T>, set: (value: V) => void) => V;

/**
 * A subscription as an external store of React. It begins with the first component that subscribes and ends with the
 * last.
 */
export class TopicStore<T, V> {
  #view: TopicView<T, V>;
  #keys: HookOptions['keys'];
  readonly #initial: TopicView<T, V>;
  readonly #notify = new Set<() => void>();
  readonly #begin: () => Subscription<T> | undefined;
  readonly #follow: Follow<T, V>;

  constructor(
    client: Client | undefined,
    wanted: { readonly topic: string | undefined; readonly options: HookOptions },
    initial: V,
    follow: Follow<T, V>,
  ) {
    const { topic, options } = wanted;
    this.#keys = options.keys;
    this.#begin = () =>
      topic === undefined ? undefined : client?.subscribe<T>(topic, { ...options, keys: this.#keys });
    this.#follow = follow;
    this.#initial = {
      value: initial,
      state: 'pending',
      error: undefined,
      hasGap: false,
      subscription: undefined,
    };
    this.#view = this.#initial;
  }

  readonly view = (): TopicView<T, V> => this.#view;
  readonly initial = (): TopicView<T, V> => this.#initial;

  readonly subscribe = (notify: () => void): (() => void) => {
    this.#notify.add(notify);
    if (this.#notify.size === 1) this.#start();
    return () => {
      this.#notify.delete(notify);
      if (this.#notify.size === 0) this.#stop();
    };
  };

  /** Changes the keys of a subscription that has keys. */
  setKeys(keys: readonly string[]): void {
    this.#keys = keys;
    this.#view.subscription?.setKeys(keys);
  }

  #start(): void {
    const subscription = this.#begin();
    if (subscription === undefined) return;
    const value = this.#follow(subscription, (next) => this.#set({ value: next }));
    subscription.on('state', (state) => this.#set({ state, error: subscription.error }));
    subscription.on('error', (error) => this.#set({ error }));
    subscription.on('gap', () => this.#set({ hasGap: true }));
    this.#set({ value, state: subscription.state, error: subscription.error, subscription });
  }

  #stop(): void {
    this.#view.subscription?.unsubscribe();
    this.#view = this.#initial;
  }

  #set(change: Partial<TopicView<T, V>>): void {
    this.#view = { ...this.#view, ...change };
    for (const notify of this.#notify) notify();
  }
}
