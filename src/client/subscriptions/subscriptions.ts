import type { TopicPosition } from '../../protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../protocol/server-frames.ts';
import { type ClientError, localError, ownError } from '../client-error.ts';
import { Backoff } from '../connection/backoff.ts';
import { checkedKeys, checkedSubscribe } from '../requests.ts';
import { Timer } from '../timer.ts';
import { Dictionaries } from './dictionaries.ts';
import type { Acknowledging } from './extras/acknowledging.ts';
import { extras, needsExtras } from './extras.ts';
import { LocalSubscription } from './local-subscription.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import { Subscribing, type SubscribingPort } from './subscribing.ts';
import { Wire, type WirePort } from './wire.ts';

export interface SubscriptionsPort extends SubscribingPort {
  /** The gateway subscribed this session by itself, to a topic that the application hasn't asked for. */
  serverMade(subscription: LocalSubscription): void;
  /** Whether this client published it, and doesn't want it back. */
  isOwn(position: TopicPosition): boolean;
}

/**
 * All subscriptions of a client. Brings each frame to the subscription that it is for.
 */
export class Subscriptions {
  readonly #dictionaries = new Dictionaries();
  readonly subscribing: Subscribing;
  #acknowledging: Acknowledging | undefined;
  /** Those that begin when their code is loaded. */
  readonly #waiting = new Set<LocalSubscription>();
  #isLoading = false;
  readonly #reload: Timer;
  readonly #backoff: Backoff;
  readonly #wirePort: WirePort;
  readonly #port: SubscriptionsPort;

  constructor(port: SubscriptionsPort) {
    this.#port = port;
    this.#reload = new Timer(port.runtime);
    this.#backoff = new Backoff({}, () => port.runtime.random());
    this.subscribing = new Subscribing(this.#dictionaries, port);
    this.#wirePort = {
      random: () => port.runtime.random(),
      expand: (batch) => this.#dictionaries.expand(batch),
      isOwn: (position) => port.isOwn(position),
      had: (view, offset) => this.#had(view, offset),
    };
  }

  get size(): number {
    return this.subscribing.all().reduce((sum, { members }) => sum + members.size, this.#waiting.size);
  }

  /** Throws where the arguments can't be sent. */
  add<T>(wantedTopic: string, wanted: SubscribeOptions): LocalSubscription<T> {
    const { topic, options: checked } = checkedSubscribe(wantedTopic, wanted);
    const options = canonical(checked);
    const known = this.subscribing.byKey.get(this.subscribing.keyOf(topic, options));
    const { since = options.last || options.cursor ? undefined : known?.unheardAfter } = options;
    const subscription = new LocalSubscription<T>(topic, { ...options, since }, this);
    const member = subscription as LocalSubscription;
    if (needsExtras(topic, subscription.options)) {
      this.#waiting.add(member);
      this.#load();
    } else this.#begin(member);
    return subscription;
  }

  #begin(member: LocalSubscription): void {
    const { topic, options } = member;
    const shared = this.wireFor(topic, options);
    shared.unheardAfter = undefined;
    this.#enter(member, shared);
  }

  /** Where the code for it does not load, it is tried again as long as the connection is there, and with the next. */
  #load(): void {
    if (this.#isLoading || this.#waiting.size === 0) return;
    this.#isLoading = true;
    extras.use(
      ({ MemberExtras }) => {
        this.#isLoading = false;
        for (const member of this.#waiting) {
          this.#waiting.delete(member);
          member.options = canonical(member.options);
          member.extras = new MemberExtras(member, () => this.#port.runtime.monotonicMs());
          this.#begin(member);
        }
      },
      (cause) => {
        this.#isLoading = false;
        this.#port.report(localError('code_unavailable', undefined, cause));
        if (this.subscribing.isOnline) this.#reload.set(this.#backoff.next() ?? 0, () => this.#load());
      },
    );
  }

  // -- SubscriptionHome -------------------------------------------------------------------------------

  remove(member: LocalSubscription): void {
    this.#waiting.delete(member);
    if (member.wire) this.#leave(member, member.wire);
    member.wire = undefined;
  }

  /** Throws where the keys can't be sent. */
  setKeys(member: LocalSubscription, wanted: readonly string[]): void {
    const keys = checkedKeys(wanted);
    const { topic, wire } = member;
    const { since: _since, last: _last, cursor: _cursor, ...selection } = member.options;
    if (!selection.keys) throw ownError('invalid_request', `${topic} has no keys.`);
    const options = { ...selection, keys };
    const move = (): void => this.#move(member, wire as Wire, options);
    if (wire) extras.loaded?.changeKeys(this.subscribing, member, wire, options, move);
    else if (this.#waiting.has(member)) member.options = options;
  }

  addServerMade(topic: string): void {
    this.#port.serverMade(this.add(topic, {}));
  }

  report(error: ClientError): void {
    this.#port.report(error);
  }

  // -- the connection ---------------------------------------------------------------------------------

  /**
   * Asks for all in one command, each from its own position. Subscriptions that the gateway made are there already.
   */
  connected(): void {
    this.subscribing.connected();
    this.#backoff.reset();
    this.#load();
  }

  disconnected(): void {
    this.#acknowledging?.clear();
    this.#reload.stop();
    this.subscribing.disconnected();
  }

  askRefused(): void {
    this.subscribing.askRefused();
  }

  /** The connection is about to be closed. */
  closing(): void {
    this.#acknowledging?.flush();
  }

  /** Asks for subscriptions that had to wait. */
  flush(): void {
    this.subscribing.flush();
  }

  /** Pushes only; replies are for `PendingCommands`. */
  push(frame: ServerFrame): void {
    switch (frame.kind) {
      case 'batch':
        this.#batch(frame);
        break;
      case 'dictionary':
        // That of a view that was left meanwhile would never be forgotten.
        if (this.subscribing.byView.has(frame.view)) this.#dictionaries.add(frame);
        break;
      default:
        extras.loaded?.push(this, frame);
    }
  }

  // -- inside -----------------------------------------------------------------------------------------

  #enter(member: LocalSubscription, shared: Wire): void {
    if (shared.join(member)) this.subscribing.askAgain(shared);
    else if (shared.state === 'needed') this.subscribing.planFlush();
    // Not before the caller has had the time to listen.
    queueMicrotask(() => member.showAll());
  }

  #leave(member: LocalSubscription, shared: Wire): void {
    shared.members.delete(member);
    // In the same turn another may join (a component that remounts): then nothing has to be sent.
    if (shared.members.size === 0) queueMicrotask(() => this.subscribing.drop(shared));
  }

  /** What others have, or had before, stays as it is. */
  #move(member: LocalSubscription, from: Wire, options: SubscribeOptions): void {
    this.#leave(member, from);
    member.topics.clear();
    const to = this.wireFor(member.topic, options);
    if (to.state !== 'live') member.enter('pending');
    this.#enter(member, to);
  }

  wireFor(topic: string, options: SubscribeOptions): Wire {
    const key = this.subscribing.keyOf(topic, options);
    const known = this.subscribing.byKey.get(key);
    if (known) return known;
    const shared = new Wire(topic, key, options, this.#wirePort);
    this.subscribing.byKey.set(key, shared);
    return shared;
  }

  /** Of an inbox, whose subscription came with the code for it. */
  #had(view: number, offset: number): void {
    const { commands, runtime } = this.#port;
    this.#acknowledging ??= extras.loaded && new extras.loaded.Acknowledging(commands, new Timer(runtime));
    this.#acknowledging?.note(view, offset);
  }

  // -- pushes -----------------------------------------------------------------------------------------

  #batch(frame: ServerKinds['batch']): void {
    const shared = this.subscribing.byView.get(frame.view);
    if (!shared) return;
    const fresh = shared.batch(frame);
    if (fresh === undefined) {
      this.subscribing.recover(shared);
      return;
    }
    this.#port.count('publications', fresh);
  }
}

/** Equal filters are the same, once the code for it is there. */
function canonical(options: SubscribeOptions): SubscribeOptions {
  const { filter } = options;
  return filter && extras.loaded ? { ...options, filter: extras.loaded.canonicalFilter(filter) } : options;
}
