import { subscriptionKey } from '../../protocol/equal-subscriptions.ts';
import type { SubscribeResult, TopicPosition } from '../../protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../protocol/server-frames.ts';
import { ClientError, ownError } from '../client-error.ts';
import { checkedKeys, checkedSubscribe } from '../requests.ts';
import { Acknowledging } from './acknowledging.ts';
import { Dictionaries } from './dictionaries.ts';
import { LocalSubscription } from './local-subscription.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import { Subscribing, type SubscribingPort } from './subscribing.ts';
import { Wire, type WirePort } from './wire.ts';

export interface SubscriptionsPort extends SubscribingPort {
  report(error: ClientError): void;
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
  readonly #subscribing: Subscribing;
  readonly #acknowledging: Acknowledging;
  readonly #wirePort: WirePort;
  readonly #port: SubscriptionsPort;

  constructor(port: SubscriptionsPort) {
    this.#port = port;
    this.#subscribing = new Subscribing(this.#dictionaries, port);
    this.#acknowledging = new Acknowledging(port.commands, port.runtime);
    this.#wirePort = {
      random: () => port.runtime.random(),
      expand: (batch) => this.#dictionaries.expand(batch),
      isOwn: (position) => port.isOwn(position),
      had: (view, offset) => this.#acknowledging.note(view, offset),
    };
  }

  get size(): number {
    return this.#subscribing.all().reduce((sum, { members }) => sum + members.size, 0);
  }

  /** Throws where the arguments can't be sent. */
  add<T>(wantedTopic: string, wanted: SubscribeOptions): LocalSubscription<T> {
    const { topic, options: asked } = checkedSubscribe(wantedTopic, wanted);
    const shared = this.#sharedFor(topic, asked);
    const { since = asked.last || asked.cursor ? undefined : shared.unheardAfter } = asked;
    shared.unheardAfter = undefined;
    const subscription = new LocalSubscription<T>(topic, { ...asked, since }, this);
    this.#enter(subscription as LocalSubscription, shared);
    return subscription;
  }

  // -- SubscriptionHome -------------------------------------------------------------------------------

  remove(member: LocalSubscription): void {
    if (member.wire) this.#leave(member, member.wire);
    member.wire = undefined;
  }

  monotonicMs(): number {
    return this.#port.runtime.monotonicMs();
  }

  /** Throws where the keys can't be sent. */
  setKeys(member: LocalSubscription, wanted: readonly string[]): void {
    const { topic } = member;
    const keys = checkedKeys(wanted);
    const { since: _since, last: _last, cursor: _cursor, ...selection } = { ...member.options, keys };
    const shared = member.wire;
    if (!member.options.keys) throw ownError('invalid_request', `${topic} has no keys.`);
    const key = subscriptionKey({ topic, ...selection });
    if (!shared || key === shared.key) return;
    member.options = selection;
    if (shared.members.size > 1 || this.#subscribing.byKey.has(key)) this.#move(member, shared, selection);
    else {
      this.#subscribing.byKey.delete(shared.key);
      shared.rekey(selection);
      this.#subscribing.byKey.set(key, shared);
      this.#subscribing.rekey(shared);
    }
  }

  report(error: ClientError): void {
    this.#port.report(error);
  }

  // -- the connection ---------------------------------------------------------------------------------

  /**
   * Asks for all in one command, each from its own position. Subscriptions that the gateway made are there already.
   */
  connected(): void {
    this.#subscribing.connected();
  }

  disconnected(): void {
    this.#acknowledging.clear();
    this.#subscribing.disconnected();
  }

  askRefused(): void {
    this.#subscribing.askRefused();
  }

  /** The connection is about to be closed. */
  closing(): void {
    this.#acknowledging.flush();
  }

  /** Asks for subscriptions that had to wait. */
  flush(): void {
    this.#subscribing.flush();
  }

  /** Pushes only; replies are for `PendingCommands`. */
  push(frame: ServerFrame): void {
    switch (frame.kind) {
      case 'batch':
        this.#batch(frame);
        break;
      case 'dictionary':
        // That of a view that was left meanwhile would never be forgotten.
        if (this.#subscribing.byView.has(frame.view)) this.#dictionaries.add(frame);
        break;
      case 'snapshot':
        this.#subscribing.byView.get(frame.view)?.snapshot(frame);
        break;
      case 'reset':
        this.#reset(frame);
        break;
      case 'caughtUp':
        this.#subscribing.byView.get(frame.view)?.caughtUp(frame);
        break;
      case 'lagging':
        for (const view of frame.views) this.#subscribing.byView.get(view)?.lagging();
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

  // -- inside -----------------------------------------------------------------------------------------

  #enter(member: LocalSubscription, shared: Wire): void {
    if (shared.join(member)) this.#subscribing.askAgain(shared);
    else if (shared.state === 'needed') this.#subscribing.planFlush();
    // Not before the caller has had the time to listen.
    queueMicrotask(() => member.showAll());
  }

  #leave(member: LocalSubscription, shared: Wire): void {
    shared.members.delete(member);
    // In the same turn another may join (a component that remounts): then nothing has to be sent.
    if (shared.members.size === 0) queueMicrotask(() => this.#subscribing.drop(shared));
  }

  /** What others have, or had before, stays as it is. */
  #move(member: LocalSubscription, from: Wire, options: SubscribeOptions): void {
    this.#leave(member, from);
    member.topics.clear();
    const to = this.#sharedFor(member.topic, options);
    if (to.state !== 'live') member.enter('pending');
    this.#enter(member, to);
  }

  #sharedFor(topic: string, options: SubscribeOptions): Wire {
    const key = subscriptionKey({ topic, ...options });
    const known = this.#subscribing.byKey.get(key);
    if (known) return known;
    const shared = new Wire(topic, options, this.#wirePort);
    this.#subscribing.byKey.set(key, shared);
    return shared;
  }

  // -- pushes -----------------------------------------------------------------------------------------

  #batch(frame: ServerKinds['batch']): void {
    const shared = this.#subscribing.byView.get(frame.view);
    if (!shared) return;
    const fresh = shared.batch(frame);
    if (fresh === undefined) {
      this.#subscribing.recover(shared);
      return;
    }
    this.#port.count('publications', fresh);
  }

  #reset(frame: ServerKinds['reset']): void {
    this.#subscribing.byView.get(frame.view)?.reset(frame);
  }

  #subscribedByGateway(result: SubscribeResult): void {
    if ('error' in result) {
      const { error, topic } = result;
      this.#port.report(new ClientError({ ...error, message: `${topic}: ${error.message}` }));
      return;
    }
    const shared = this.#sharedFor(result.topic, {});
    // The client's own command is on its way and replaces the gateway's subscription.
    if (shared.state === 'asked') return;
    if (shared.members.size === 0) this.#port.serverMade(this.add(result.topic, {}));
    // It begins after publications that the client missed: the client's own, from its position, replaces it too.
    if (shared.wouldSkip(result)) {
      this.flush();
      return;
    }
    this.#subscribing.byView.set(result.view, shared);
    shared.toLive(result);
  }

  #endedByGateway({ views, reason }: ServerKinds['unsubscribed']): void {
    for (const view of views) {
      const shared = this.#subscribing.byView.get(view);
      this.#subscribing.byView.delete(view);
      this.#dictionaries.forget(view);
      if (shared)
        this.#subscribing.refuse(
          shared,
          ownError(reason ?? 'not_subscribed', `The gateway ended it: ${reason ?? 'no reason'}.`),
        );
    }
  }

  #presence(kind: 'joined' | 'left', { topic, member }: ServerKinds['joined']): void {
    for (const shared of this.#subscribing.all()) {
      const { topic: own } = shared;
      if (shared.isPattern ? topic.startsWith(own.slice(0, -1)) : own === topic)
        for (const { options, events } of shared.members)
          if (options.presence) events.emit(kind, member, topic);
    }
  }
}
