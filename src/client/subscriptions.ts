import { subscriptionText } from '../protocol/equal-subscriptions.ts';
import type { ServerFrame, ServerKinds, SubscribeResult } from '../protocol/frames.ts';
import { ClientError, gatewayError } from './client-error.ts';
import type { Outcome, PendingCommands } from './commands.ts';
import { Dictionaries } from './dictionaries.ts';
import type { Runtime } from './runtime.ts';
import { SharedSubscription } from './shared-subscription.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import { type StateMap, Subscription } from './subscription.ts';

export interface SubscriptionsPort {
  readonly commands: PendingCommands;
  readonly runtime: Runtime;
  /** The gateway doesn't answer: the connection is of no use. */
  abandon(error: ClientError): void;
  report(error: ClientError): void;
  /** The gateway subscribed this session by itself: who hears it while the application hasn't asked for the topic? */
  serverMade(subscription: Subscription): void;
  count(what: 'gaps' | 'publications', many: number): void;
}

/** A view whose batches never fit must not turn into a storm of subscribe commands. */
const minRecoveryIntervalMs = 1_000;

/** All subscriptions of a client: asks for them, in bulk where it can, and brings each frame to the one that it is for. */
export class Subscriptions {
  #online = false;
  #flushPlanned = false;
  readonly #byKey = new Map<string, SharedSubscription>();
  readonly #byView = new Map<number, SharedSubscription>();
  readonly #dictionaries = new Dictionaries();
  readonly #homes = new Map<Subscription, SharedSubscription>();
  readonly #port: SubscriptionsPort;

  constructor(port: SubscriptionsPort) {
    this.#port = port;
  }

  get size(): number {
    return this.#homes.size;
  }

  add<T>(topic: string, options: SubscribeOptions): Subscription<T> {
    const subscription = new Subscription<T>(topic, options, this);
    const member = subscription as Subscription;
    const shared = this.#sharedFor(topic, options);
    this.#homes.set(member, shared);
    if (shared.join(member)) this.#askAgain(shared);
    else if (shared.phase === 'needed') this.#planFlush();
    // Not before the caller has had the time to listen.
    queueMicrotask(() => shared.show(member));
    return subscription;
  }

  // -- SubscriptionHome -------------------------------------------------------------------------------------------

  remove(member: Subscription): void {
    const shared = this.#homes.get(member);
    if (!shared) return;
    this.#homes.delete(member);
    shared.leave(member);
    // In the same turn somebody may join again (a component that remounts): then nothing has to go over the wire.
    if (shared.members.size === 0) queueMicrotask(() => this.#drop(shared));
  }

  mapOf(member: Subscription, topic: string): StateMap {
    return this.#homes.get(member)?.mapOf(topic) ?? new Map();
  }

  report(error: ClientError): void {
    this.#port.report(error);
  }

  // -- the connection ---------------------------------------------------------------------------------------------

  /** Everything in one bulk command, each from its own position. What the gateway made by itself is there already. */
  connected(): void {
    this.#online = true;
    for (const shared of this.#byKey.values()) if (shared.phase === 'off') shared.detached();
    this.#flush();
  }

  disconnected(): void {
    this.#online = false;
    this.#byView.clear();
    this.#dictionaries.clear();
    for (const shared of this.#byKey.values()) {
      this.#stopRetry(shared);
      if (shared.phase !== 'off') shared.detached();
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
        // Of a view that was left meanwhile nobody would ever forget it.
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

  // -- asking -----------------------------------------------------------------------------------------------------

  #sharedFor(topic: string, options: SubscribeOptions): SharedSubscription {
    const key = subscriptionText({ topic, ...options });
    const known = this.#byKey.get(key);
    if (known) return known;
    const shared = new SharedSubscription(topic, options, this.#port.runtime.random);
    this.#byKey.set(key, shared);
    return shared;
  }

  /** All subscriptions of a turn go out as one command. */
  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    queueMicrotask(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.#online) return;
    const needed = [...this.#byKey.values()].filter(
      ({ phase, members }) => phase === 'needed' && members.size > 0,
    );
    if (needed.length === 0) return;
    const subscriptions = needed.map((shared) => shared.ask());
    this.#port.commands.send('subscribe', { subscriptions }, (outcome) => this.#answered(needed, outcome));
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
    for (const shared of asked) this.#refuse(shared, error);
  }

  #settle(shared: SharedSubscription, result: SubscribeResult): void {
    if ('error' in result) {
      this.#refuse(shared, new ClientError(result.error));
      return;
    }
    this.#byView.set(result.view, shared);
    shared.granted(result);
    if (shared.members.size === 0) this.#drop(shared);
    else if (shared.mustAskAgain) this.#askAgain(shared);
  }

  #refuse(shared: SharedSubscription, error: ClientError): void {
    shared.refused(error);
    if (shared.members.size === 0) {
      this.#drop(shared);
      return;
    }
    const delayMs = shared.backoff.next() ?? 0;
    if (error.retry) this.#askLater(shared, Math.max(delayMs, error.retryAfterMs ?? 0));
  }

  // -- leaving and beginning again ----------------------------------------------------------------------------------

  /** What is missing comes by subscribing anew from the position. Once at a time: until the answer, batches are ignored. */
  #recover(shared: SharedSubscription): void {
    this.#port.count('gaps', 1);
    const nowMs = this.#port.runtime.now();
    const waitMs = shared.recoveredAtMs + minRecoveryIntervalMs - nowMs;
    shared.recoveredAtMs = nowMs + Math.max(0, waitMs);
    if (waitMs <= 0) {
      this.#askAgain(shared);
      return;
    }
    this.#release(shared);
    this.#askLater(shared, waitMs);
  }

  #askAgain(shared: SharedSubscription): void {
    this.#release(shared);
    shared.detached();
    this.#flush();
  }

  #askLater(shared: SharedSubscription, delayMs: number): void {
    this.#stopRetry(shared);
    shared.phase = 'off';
    shared.retryTimer = this.#port.runtime.setTimeout(() => {
      shared.retryTimer = undefined;
      shared.detached();
      this.#flush();
    }, delayMs);
  }

  #stopRetry(shared: SharedSubscription): void {
    if (shared.retryTimer !== undefined) this.#port.runtime.clearTimeout(shared.retryTimer);
    shared.retryTimer = undefined;
  }

  /** Nobody is left: forget it, unless the reply is still to come (then again) or somebody joined meanwhile. */
  #drop(shared: SharedSubscription): void {
    if (shared.members.size > 0 || shared.phase === 'asked') return;
    this.#stopRetry(shared);
    this.#release(shared);
    this.#byKey.delete(subscriptionText({ topic: shared.topic, ...shared.options }));
  }

  #release(shared: SharedSubscription): void {
    if (this.#byView.get(shared.view) !== shared) return;
    this.#byView.delete(shared.view);
    this.#dictionaries.forget(shared.view);
    if (this.#online) this.#port.commands.send('unsubscribe', { views: [shared.view] }, () => {});
  }

  // -- pushes -----------------------------------------------------------------------------------------------------

  #batch(frame: ServerKinds['batch']): void {
    const shared = this.#byView.get(frame.view);
    if (!shared) return;
    const fresh = shared.batch(frame, (batch) => this.#dictionaries.expand(batch));
    if (fresh === undefined) {
      this.#recover(shared);
      return;
    }
    this.#port.count('publications', fresh);
  }

  #reset(frame: ServerKinds['reset']): void {
    const shared = this.#byView.get(frame.view);
    if (shared && !shared.reset(frame)) this.#askAgain(shared);
  }

  #subscribedByGateway(result: SubscribeResult): void {
    if ('error' in result) return;
    const shared = this.#sharedFor(result.topic, {});
    // Our own command is on its way and replaces what the gateway made.
    if (shared.phase === 'asked') return;
    if (shared.members.size === 0) this.#port.serverMade(this.add(result.topic, {}));
    // It begins behind what was missed while the client was away: ours, with its position, will replace it too.
    if (shared.wouldSkip(result)) {
      this.#flush();
      return;
    }
    this.#byView.set(result.view, shared);
    shared.granted(result);
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
