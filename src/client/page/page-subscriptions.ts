import type { TopicPosition } from '../../protocol/frames.ts';
import { userTopicName } from '../../protocol/user-topics.ts';
import type { ClientError } from '../client-error.ts';
import type { Greeting } from '../connection/socket-session.ts';
import type { Published } from '../offline-queue.ts';
import { OwnPublications } from '../own-publications.ts';
import type { PublicationListener } from '../subscriptions/subscription.ts';
import type { Delegate } from './delegate.ts';
import {
  type PageSubscribeOptions,
  PageSubscription,
  type PageSubscriptionPort,
} from './page-subscription.ts';

export interface PageSubscriptionsPort {
  report(error: ClientError): void;
  nextFrame(run: () => void): void;
  /** Calls `attach` with the delegate of now. */
  attachAll(): void;
}

/** All subscriptions of a page, and its own publications that they leave out. */
export class PageSubscriptions implements PageSubscriptionPort {
  closedBy: ClientError | undefined;
  readonly #all = new Set<PageSubscription>();
  /** The gateway's own subscriptions that the page has made, because the application listens to them. */
  readonly #given = new Set<string>();
  readonly #own = new OwnPublications();
  /** By topic: how many publications with `exceptSelf` have no reply yet. */
  readonly #unsettled = new Map<string, number>();
  readonly #port: PageSubscriptionsPort;

  constructor(port: PageSubscriptionsPort) {
    this.#port = port;
  }

  get size(): number {
    return this.#all.size;
  }

  add<T>(topic: string, options: PageSubscribeOptions): PageSubscription<T> {
    const subscription = new PageSubscription<T>(topic, options, this);
    this.#all.add(subscription as PageSubscription);
    // Later, so that the caller can add listeners first.
    queueMicrotask(() => this.#port.attachAll());
    return subscription;
  }

  /** The state of the client has changed; `reason`: why it is closed. */
  clientChanged(reason: ClientError | undefined): void {
    this.closedBy = reason;
    for (const subscription of this.#all) subscription.settle();
  }

  /** Changes the delegate of all subscriptions; undefined: there is none. */
  attach(delegate: Delegate | undefined): void {
    for (const subscription of this.#all) {
      if (delegate) subscription.attach(delegate);
      else subscription.detach();
    }
  }

  /** Every session gets these topics by itself. A page subscribes to them, to continue them in another session. */
  listenToGiven({ user }: Greeting, listener: PublicationListener<unknown>): void {
    const own = user === undefined ? undefined : userTopicName(user);
    for (const topic of own === undefined ? ['$all'] : ['$all', own]) {
      if (this.#given.has(topic)) continue;
      this.#given.add(topic);
      const subscription = this.add<unknown>(topic, {});
      subscription.on('publication', listener);
      // The application did not ask for it, so a refusal is not reported.
      subscription.on('error', () => undefined);
    }
  }

  /** The gateway excepts sessions, not tabs that share one, so the tab leaves out its own publications itself. */
  async withoutSelf(topic: string, sent: Promise<Published>): Promise<Published> {
    this.#unsettled.set(topic, (this.#unsettled.get(topic) ?? 0) + 1);
    try {
      const published = await sent;
      this.#own.add({ topic, epoch: published.epoch, offset: published.offset });
      return published;
    } finally {
      const rest = (this.#unsettled.get(topic) ?? 1) - 1;
      if (rest > 0) this.#unsettled.set(topic, rest);
      else this.#unsettled.delete(topic);
      for (const subscription of this.#all) subscription.settled();
    }
  }

  // -- PageSubscriptionPort ---------------------------------------------------------------------------

  remove(subscription: PageSubscription): void {
    this.#all.delete(subscription);
  }

  report(error: ClientError): void {
    this.#port.report(error);
  }

  nextFrame(run: () => void): void {
    this.#port.nextFrame(run);
  }

  isOwn(position: TopicPosition): boolean {
    return this.#own.has(position);
  }

  isUnsettled(topic: string): boolean {
    if (!topic.endsWith('*')) return this.#unsettled.has(topic);
    const prefix = topic.slice(0, -1);
    return [...this.#unsettled.keys()].some((name) => name.startsWith(prefix));
  }
}
