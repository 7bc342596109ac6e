import { userTopicName } from '../../protocol/user-topics.ts';
import type { ClientError } from '../client-error.ts';
import type { Greeting } from '../connection/socket-session.ts';
import type { Published } from '../offline-queue.ts';
import { OwnPublications } from '../own-publications.ts';
import type { PublicationListener } from '../subscriptions/subscription.ts';
import { type PageSubscribeOptions, PageSubscription } from './page-subscription.ts';
import type { Source } from './source.ts';

export interface PageSubscriptionsPort {
  report(error: ClientError): void;
  nextFrame(run: () => void): void;
  /** Calls `attach` with what serves the page now. */
  attachAll(): void;
}

/** All subscriptions of a page, and which of its own publications they leave out. */
export class PageSubscriptions {
  readonly #all = new Set<PageSubscription>();
  /** Of the topics that the gateway subscribes every session to, once the application listens to them. */
  readonly #given = new Set<string>();
  readonly #own = new OwnPublications();
  /** By topic: publications with `exceptSelf` that are on their way. */
  readonly #unsettled = new Map<string, number>();
  readonly #port: PageSubscriptionsPort;

  constructor(port: PageSubscriptionsPort) {
    this.#port = port;
  }

  get size(): number {
    return this.#all.size;
  }

  add<T>(topic: string, options: PageSubscribeOptions): PageSubscription<T> {
    const subscription = new PageSubscription<T>(topic, options, {
      remove: (gone) => this.#all.delete(gone),
      report: (error) => this.#port.report(error),
      nextFrame: (run) => this.#port.nextFrame(run),
      isOwn: (position) => this.#own.has(position),
      isUnsettled: () => this.#isUnsettled(topic),
    });
    this.#all.add(subscription as PageSubscription);
    // Not before the caller has had the time to listen.
    queueMicrotask(() => this.#port.attachAll());
    return subscription;
  }

  /** From now on this source serves all of them; undefined: none does. */
  attach(source: Source | undefined): void {
    for (const subscription of this.#all) {
      if (source) subscription.attach(source);
      else subscription.detach();
    }
  }

  /** Each session gets these topics without asking; a page asks, so that it goes on there with another session. */
  listenToGiven({ user }: Greeting, listener: PublicationListener<unknown>): void {
    const own = user === undefined ? undefined : userTopicName(user);
    for (const topic of own === undefined ? ['$all'] : ['$all', own]) {
      if (this.#given.has(topic)) continue;
      this.#given.add(topic);
      const subscription = this.add<unknown>(topic, {});
      subscription.on('publication', listener);
      // The application did not ask for it: a refusal is not its concern.
      subscription.on('error', () => undefined);
    }
  }

  /** The gateway knows the shared session, not the tab: what this tab doesn't want back it leaves out itself. */
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

  #isUnsettled(topic: string): boolean {
    if (!topic.endsWith('*')) return this.#unsettled.has(topic);
    const prefix = topic.slice(0, -1);
    return [...this.#unsettled.keys()].some((name) => name.startsWith(prefix));
  }
}
