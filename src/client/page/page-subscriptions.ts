import { userTopicName } from '../../protocol/user-topics.ts';
import type { ClientError } from '../client-error.ts';
import type { Greeting } from '../connection/socket-session.ts';
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

/** All subscriptions of a page. */
export class PageSubscriptions implements PageSubscriptionPort {
  closedBy: ClientError | undefined;
  readonly #all = new Set<PageSubscription>();
  /** The gateway's own subscriptions that the page has made, because the application listens to them. */
  readonly #given = new Set<string>();
  readonly publisher: string;
  readonly #port: PageSubscriptionsPort;

  /** `publisher`: names this page in its publications with `exceptSelf`. */
  constructor(publisher: string, port: PageSubscriptionsPort) {
    this.publisher = publisher;
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
}
