import type { Authorize } from '../../auth/authorize.ts';
import { type Awaitable, whenDone } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { Subscription } from '../../protocol/frames.ts';
import type { Broker } from '../../topics/broker.ts';
import { isPattern, topicProblem } from '../../topics/topic-name.ts';
import type { Application, SubscribeGrant } from '../application.ts';
import { targetProblem } from '../commands/target.ts';
import type { Session } from '../session.ts';
import type { Refusals, TopicPermits } from './topic-permits.ts';

export interface PreparationOptions {
  readonly broker: Broker;
  readonly authorize: Authorize;
  /** Its hook decides on each subscription of a client. Absent: there is none. */
  readonly application?: Pick<Application, 'subscribe'>;
}

/** What is known before sessions subscribe. */
export interface Findings {
  /** Why topics could not be loaded, by name; and why topic tokens are refused, by token. */
  readonly problems: ReadonlyMap<string, SluiceError>;
  /** The application's decision on each subscription, in order; absent: it was not asked. */
  readonly decisions?: readonly (SubscribeGrant | SluiceError | undefined)[] | undefined;
}

export const noFindings: Findings = { problems: new Map() };

/**
 * What has to be awaited before sessions subscribe: the application, topic tokens, and topics that the engine has to
 * load. All else happens in one turn.
 */
export class Preparation {
  readonly #options: PreparationOptions;
  readonly #permits: TopicPermits;

  constructor(options: PreparationOptions, permits: TopicPermits) {
    this.#options = options;
    this.#permits = permits;
  }

  /** Whether `load` has nothing to do. */
  isDone(subscriptions: readonly Subscription[]): boolean {
    return (
      this.#unloaded(subscriptions).length === 0 &&
      !this.#isAhead(subscriptions) &&
      subscriptions.every(({ token }) => token === undefined)
    );
  }

  /**
   * Loads topics that are not loaded. Where a client has heard of more on another node, waits until this node has heard
   * of it too. Returns why some could not be loaded: only their subscriptions fail. A client that compares no offsets
   * would get again what it has had elsewhere: throws `engine_unavailable` where this node can't hear of that now.
   */
  load(session: Session, subscriptions: readonly Subscription[]): Awaitable<Findings> {
    const refused = this.#permits.refusals(subscriptions);
    if (refused instanceof Promise)
      return refused.then((all) => this.#loadTopics(session, subscriptions, all));
    return this.#loadTopics(session, subscriptions, refused);
  }

  /** The same for subscriptions that a client asks for: the application is asked first. */
  forClient(session: Session, subscriptions: readonly Subscription[]): Awaitable<Findings> {
    const { application, authorize } = this.#options;
    if (application?.subscribe === undefined) return this.load(session, subscriptions);
    const isSound = ({ topic, fault }: Subscription) =>
      fault === undefined && targetProblem(topic) === undefined;
    const wanted = subscriptions.filter(isSound).map(({ topic, token }) => ({
      topic,
      permitted: token !== undefined || authorize(session.identity, 'subscribe', topic) === undefined,
    }));
    return whenDone(application.subscribe(session.asker, wanted), (decisions) => {
      const given = decisions.values();
      const all = subscriptions.map((each) => (isSound(each) ? given.next().value : undefined));
      const allowed = subscriptions.filter((_, index) => !(all[index] instanceof SluiceError));
      return whenDone(this.load(session, allowed), ({ problems }) => ({ problems, decisions: all }));
    });
  }

  /** `refused`: see `TopicPermits.refusals`. */
  #loadTopics(
    session: Session,
    subscriptions: readonly Subscription[],
    refused: Refusals,
  ): Awaitable<Findings> {
    if (this.#isAhead(subscriptions)) return this.#hearAndLoad(session, subscriptions, refused);
    const topics = this.#unloaded(subscriptions);
    return topics.length === 0 ? { problems: refused } : this.#load(topics, refused);
  }

  #isAhead(subscriptions: readonly Subscription[]): boolean {
    return subscriptions.some((subscription) => this.#options.broker.commits.isBehind(subscription));
  }

  async #hearAndLoad(
    session: Session,
    subscriptions: readonly Subscription[],
    refused: Refusals,
  ): Promise<Findings> {
    const hasHeard = await this.#options.broker.commits.hearNewest();
    if (!hasHeard && session.comparesOffsets === false && this.#isAhead(subscriptions))
      throw new SluiceError(
        'engine_unavailable',
        'this gateway does not have yet what the client has received',
      );
    return this.#load(this.#unloaded(subscriptions), refused);
  }

  #unloaded(subscriptions: readonly Subscription[]): string[] {
    const { broker } = this.#options;
    const unloaded: string[] = [];
    for (const { topic } of subscriptions)
      if (!isPattern(topic) && !broker.isLoaded(topic) && topicProblem(topic) === undefined)
        unloaded.push(topic);
    return unloaded;
  }

  async #load(topics: readonly string[], refused: Refusals): Promise<Findings> {
    const problems = new Map(refused);
    const load = async (topic: string) => {
      try {
        await this.#options.broker.load(topic);
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        problems.set(topic, error);
      }
    };
    await Promise.all(topics.map(load));
    return { problems };
  }
}
