import { subscriptionKey } from '../../protocol/equal-subscriptions.ts';
import type {
  ServerFrame,
  ServerKinds,
  SubscribeResult,
  TopicPosition,
  Subscription as WireSubscription,
} from '../../protocol/frames.ts';
import { ClientError, gatewayError } from '../client-error.ts';
import type { Outcome, PendingCommands } from '../pending-commands.ts';
import { checkedSubscribe } from '../requests.ts';
import type { Runtime } from '../runtime.ts';
import { splitBulk } from './bulk.ts';
import { Dictionaries } from './dictionaries.ts';
import { Releases } from './releases.ts';
import { Retries } from './retries.ts';
import { type SharedPort, SharedSubscription } from './shared-subscription.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import { type StateMap, Subscription } from './subscription.ts';

export interface SubscriptionsPort {
  readonly commands: PendingCommands;
  readonly runtime: Runtime;
  /** The gateway doesn't answer: the connection is of no use. */
  abandon(error: ClientError): void;
  report(error: ClientError): void;
  /**
   * The gateway subscribed this session by itself: who hears it while the application hasn't asked for the
   * topic?
   */
  serverMade(subscription: Subscription): void;
  count(what: 'gaps' | 'publications', many: number): void;
  /** The most bytes of a command, and how many one has with this subscription alone. */
  frameMaxBytes(): number;
  bytesOf(subscription: WireSubscription): number;
  /** Whether this client published it, and doesn't want it back. */
  isOwn(position: TopicPosition): boolean;
  /** Whether that isn't known yet of all that may be in these topics. */
  isUnsettled(matches: (topic: string) => boolean): boolean;
}

/** Half of what a list of a command may have. */
const subscriptionsPerCommand = 500;

/**
 * All subscriptions of a client: asks for them, in bulk where it can, and brings each frame to the one that
 * it is for.
 */
export class Subscriptions {
  #online = false;
  #flushPlanned = false;
  readonly #byKey = new Map<string, SharedSubscription>();
  readonly #byView = new Map<number, SharedSubscription>();
  readonly #dictionaries = new Dictionaries();
  readonly #homes = new Map<Subscription, SharedSubscription>();
  /** Refused, or not recoverable yet: asked for again at their time. */
  readonly #retries: Retries<SharedSubscription>;
  readonly #releases: Releases;
  readonly #sharedPort: SharedPort;
  readonly #port: SubscriptionsPort;

  constructor(port: SubscriptionsPort) {
    this.#port = port;
    this.#retries = new Retries(port.runtime, (due) => this.#askFor(due));
    this.#releases = new Releases({
      commands: port.commands,
      runtime: port.runtime,
      abandon: (error) => port.abandon(error),
      ended: () => this.flush(),
    });
    this.#sharedPort = {
      random: () => port.runtime.random(),
      monotonicMs: () => port.runtime.monotonicMs(),
      expand: (batch) => this.#dictionaries.expand(batch),
      isOwn: (position) => port.isOwn(position),
    };
  }

  get size(): number {
    return this.#homes.size;
  }

  /** Throws where the gateway could not even be told what is wanted. */
  add<T>(wantedTopic: string, wanted: SubscribeOptions): Subscription<T> {
    const { topic, options } = checkedSubscribe(wantedTopic, wanted);
    const subscription = new Subscription<T>(topic, options, this);
    const member = subscription as Subscription;
    const shared = this.#sharedFor(topic, options);
    this.#homes.set(member, shared);
    if (shared.join(member)) this.#askAgain(shared);
    else if (shared.state === 'needed') this.#planFlush();
    // Not before the caller has had the time to listen.
    queueMicrotask(() => shared.show(member));
    return subscription;
  }

  // -- SubscriptionHome -------------------------------------------------------------------------------

  remove(member: Subscription): void {
    const shared = this.#homes.get(member);
    if (!shared) return;
    this.#homes.delete(member);
    shared.leave(member);
    // In the same turn another may join (a component that remounts): then nothing has to be sent.
    if (shared.members.size === 0) queueMicrotask(() => this.#drop(shared));
  }

  mapOf(member: Subscription, topic: string): StateMap {
    return this.#homes.get(member)?.mapOf(topic) ?? new Map();
  }

  cursorOf(member: Subscription): string | undefined {
    return this.#homes.get(member)?.cursorOf(member);
  }

  report(error: ClientError): void {
    this.#port.report(error);
  }

  // -- the connection ---------------------------------------------------------------------------------

  /**
   * Everything in one bulk command, each from its own position. What the gateway made by itself is there
   * already.
   */
  connected(): void {
    this.#online = true;
    this.askRefused();
    this.flush();
  }

  /** What was refused may be granted now: to another connection, or with another token. */
  askRefused(): void {
    const refused = [...this.#byKey.values()].filter(
      (shared) => shared.state === 'off' && !this.#retries.has(shared),
    );
    this.#askFor(refused);
  }

  disconnected(): void {
    this.#online = false;
    this.#byView.clear();
    this.#dictionaries.clear();
    this.#releases.clear();
    this.#retries.clear();
    for (const shared of this.#byKey.values()) {
      if (shared.state !== 'off') shared.toNeeded();
      this.#drop(shared);
    }
  }

  /** Pushes only; replies are for `PendingCommands`. */
  push(frame: ServerFrame): void {
    switch (frame.kind) {
      case 'batch':
        this.#batch(frame);
        break;
      case 'dictionary':
        // That of a view that was left meanwhile would never be forgotten.
        if (this.#byView.has(frame.view)) this.#dictionaries.add(frame);
        break;
      case 'snapshot':
        this.#byView.get(frame.view)?.snapshot(frame);
        break;
      case 'reset':
        this.#reset(frame);
        break;
      case 'caughtUp':
        this.#byView.get(frame.view)?.caughtUp(frame);
        break;
      case 'lagging':
        for (const view of frame.views) this.#byView.get(view)?.lagging();
        break;
      case 'subscribed':
        for (const result of frame.results) this.#subscribedByGateway(result);
        break;
      case 'unsubscribed':
        this.#endedByGateway(frame);
        break;
      case 'joined':
      case 'left':
        this.#presence(frame.kind, frame);
        break;
    }
  }

  // -- asking -----------------------------------------------------------------------------------------

  #sharedFor(topic: string, options: SubscribeOptions): SharedSubscription {
    const key = subscriptionKey({ topic, ...options });
    const known = this.#byKey.get(key);
    if (known) return known;
    const shared = new SharedSubscription(topic, options, this.#sharedPort);
    this.#byKey.set(key, shared);
    return shared;
  }

  /** All subscriptions of a turn go out as one command. */
  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    queueMicrotask(() => {
      this.#flushPlanned = false;
      this.flush();
    });
  }

  /** Asks for what is needed, in as few commands as there may be. */
  flush(): void {
    this.#releases.flush();
    if (!this.#online) return;
    const needed = [...this.#byKey.values()].filter((shared) => this.#isDue(shared));
    const requests = needed.map((shared) => ({ shared, request: shared.toAsked() }));
    const limits = { entries: subscriptionsPerCommand, bytes: this.#port.frameMaxBytes() };
    const { parts, tooLarge } = splitBulk(requests, ({ request }) => this.#port.bytesOf(request), limits);
    for (const { shared } of tooLarge) {
      this.#refuse(
        shared,
        gatewayError('frame_too_large', 'The subscription is larger than a command may be.'),
      );
    }
    for (const part of parts) this.#send(part);
  }

  #isDue({ state, members, key, topic, isPattern }: SharedSubscription): boolean {
    if (state !== 'needed' || members.size === 0 || this.#releases.holds(key)) return false;
    const prefix = topic.slice(0, -1);
    return !this.#port.isUnsettled((one) => (isPattern ? one.startsWith(prefix) : one === topic));
  }

  #send(part: readonly { readonly shared: SharedSubscription; readonly request: WireSubscription }[]): void {
    const subscriptions = part.map(({ request }) => request);
    const asked = part.map(({ shared }) => shared);
    this.#port.commands.send('subscribe', { subscriptions }, (outcome) => this.#answered(asked, outcome));
  }

  #answered(asked: readonly SharedSubscription[], outcome: Outcome<'subscribe'>): void {
    if (outcome.ok) {
      asked.forEach((shared, index) => {
        const result = outcome.reply.results[index];
        if (result) this.#settle(shared, result);
      });
      return;
    }
    const { error } = outcome;
    if (error.code === 'disconnected') return;
    if (error.code === 'timeout') {
      this.#port.abandon(error);
      return;
    }
    for (const shared of asked) {
      // Nothing was judged: that is no refusal to tell.
      if (error.code === 'rate_limited') this.#askLater(shared, error.retryAfterMs ?? 1_000);
      else this.#refuse(shared, error);
    }
  }

  #settle(shared: SharedSubscription, result: SubscribeResult): void {
    if ('error' in result) {
      if (result.error.code === 'already_subscribed') void this.#reconcile(shared);
      else this.#refuse(shared, new ClientError(result.error));
      return;
    }
    this.#byView.set(result.view, shared);
    shared.toLive(result);
    if (shared.members.size === 0) this.#drop(shared);
    else if (shared.mustAskAgain) this.#askAgain(shared);
  }

  #refuse(shared: SharedSubscription, error: ClientError): void {
    shared.toOff(error);
    if (shared.members.size === 0) {
      this.#drop(shared);
      return;
    }
    const delayMs = shared.backoff.next() ?? 0;
    if (error.retry) this.#askLater(shared, Math.max(delayMs, error.retryAfterMs ?? 0));
  }

  /**
   * The gateway has this subscription already. If it is one that this side has given up, it is ended first;
   * if it is one that this side holds for another (the namespace conflates by itself), they are one from now
   * on.
   */
  async #reconcile(shared: SharedSubscription): Promise<void> {
    const { topic, key } = shared;
    shared.toNeeded();
    if (this.#releases.holds(key)) return;
    const twin = this.#twinOf(shared);
    if (twin) {
      this.#merge(shared, twin);
      return;
    }
    this.#askLater(shared, shared.backoff.next() ?? 0);
    try {
      const { subscriptions } = await this.#port.commands.request('status', {});
      const ghosts = subscriptions.filter(
        ({ topic: held, view }) => held === topic && !this.#byView.has(view),
      );
      for (const { view } of ghosts) this.#releases.add(view, key);
    } catch {
      // The connection is gone, or busy: then it is tried again at its time, as planned.
    }
  }

  #twinOf({ topic, options }: SharedSubscription): SharedSubscription | undefined {
    const other = subscriptionKey({ topic, ...options, conflate: !options.conflate });
    const twin = this.#byKey.get(other);
    return twin?.state === 'live' ? twin : undefined;
  }

  #merge(shared: SharedSubscription, twin: SharedSubscription): void {
    for (const member of [...shared.members]) {
      shared.leave(member);
      this.#homes.set(member, twin);
      if (twin.join(member)) this.#askAgain(twin);
      queueMicrotask(() => twin.show(member));
    }
    this.#drop(shared);
  }

  // -- leaving and beginning again --------------------------------------------------------------------

  /**
   * What is missing comes by subscribing anew from the position. Once at a time: until the answer, batches
   * are ignored.
   */
  #recover(shared: SharedSubscription): void {
    this.#port.count('gaps', 1);
    const waitMs = shared.recoveryDelayMs(this.#port.runtime.monotonicMs());
    if (waitMs === 0) {
      this.#askAgain(shared);
      return;
    }
    this.#release(shared);
    this.#askLater(shared, waitMs);
  }

  #askAgain(shared: SharedSubscription): void {
    this.#release(shared);
    shared.toNeeded();
    this.flush();
  }

  #askLater(shared: SharedSubscription, delayMs: number): void {
    shared.toOff();
    this.#retries.add(shared, delayMs);
  }

  #askFor(all: readonly SharedSubscription[]): void {
    for (const shared of all) shared.toNeeded();
    this.flush();
  }

  /**
   * No member is left: forgets it, unless its reply is still to come (then later) or another member has
   * joined.
   */
  #drop(shared: SharedSubscription): void {
    if (shared.members.size > 0 || shared.state === 'asked') return;
    this.#retries.delete(shared);
    this.#release(shared);
    if (this.#byKey.get(shared.key) === shared) this.#byKey.delete(shared.key);
  }

  #release(shared: SharedSubscription): void {
    if (this.#byView.get(shared.view) !== shared) return;
    this.#byView.delete(shared.view);
    this.#dictionaries.forget(shared.view);
    if (this.#online) this.#releases.add(shared.view, shared.key);
  }

  // -- pushes -----------------------------------------------------------------------------------------

  #batch(frame: ServerKinds['batch']): void {
    const shared = this.#byView.get(frame.view);
    if (!shared) return;
    const fresh = shared.batch(frame);
    if (fresh === undefined) {
      this.#recover(shared);
      return;
    }
    this.#port.count('publications', fresh);
  }

  #reset(frame: ServerKinds['reset']): void {
    this.#byView.get(frame.view)?.reset(frame);
  }

  #subscribedByGateway(result: SubscribeResult): void {
    if ('error' in result) {
      const { error, topic } = result;
      this.#port.report(new ClientError({ ...error, message: `${topic}: ${error.message}` }));
      return;
    }
    const shared = this.#sharedFor(result.topic, {});
    // Our own command is on its way and replaces what the gateway made.
    if (shared.state === 'asked') return;
    if (shared.members.size === 0) this.#port.serverMade(this.add(result.topic, {}));
    // It begins after what was missed while the client was away: ours, with its position, will replace it
    // too.
    if (shared.wouldSkip(result)) {
      this.flush();
      return;
    }
    this.#byView.set(result.view, shared);
    shared.toLive(result);
  }

  #endedByGateway({ views, reason }: ServerKinds['unsubscribed']): void {
    for (const view of views) {
      const shared = this.#byView.get(view);
      this.#byView.delete(view);
      this.#dictionaries.forget(view);
      if (shared)
        this.#refuse(
          shared,
          gatewayError(reason ?? 'not_subscribed', `The gateway ended it: ${reason ?? 'no reason given'}.`),
        );
    }
  }

  #presence(kind: 'joined' | 'left', { topic, member }: ServerKinds['joined']): void {
    for (const [subscription, shared] of this.#homes) {
      const prefix = shared.isPattern ? shared.topic.slice(0, -1) : undefined;
      const concerned = prefix === undefined ? shared.topic === topic : topic.startsWith(prefix);
      if (concerned && subscription.options.presence) subscription.tell(kind, member, topic);
    }
  }
}
