import type { Position, SubscribeResult, TopicPosition } from '../../protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../protocol/server-frames.ts';
import { ClientError, ownError } from '../client-error.ts';
import type { PendingCommands } from '../pending-commands.ts';
import { checkedKeys, checkedSubscribe } from '../requests.ts';
import type { Runtime } from '../runtime.ts';
import { Timer } from '../timer.ts';
import type { Acknowledging } from './extras/acknowledging.ts';
import { extras, needsExtras } from './extras.ts';
import { LocalSubscription } from './local-subscription.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import { Subscribing, type SubscribingPort } from './subscribing.ts';
import { Wire } from './wire.ts';
import type { WirePort } from './wire-port.ts';

export interface SubscriptionsPort extends SubscribingPort {
  /** The gateway subscribed this session by itself, to a topic that the application hasn't asked for. */
  serverMade(subscription: LocalSubscription): void;
  /** Whether this client published it, and doesn't want it back. */
  isOwn(position: TopicPosition): boolean;
}

/**
 * All subscriptions of a client. Brings each frame to the subscription that it is for.
 */
export class Subscriptions implements WirePort {
  readonly subscribing: Subscribing;
  readonly commands: PendingCommands;
  readonly runtime: Runtime;
  /** Of inboxes, from the first one on. */
  acknowledging: Acknowledging | undefined;
  readonly #members = new Set<LocalSubscription>();
  readonly #port: SubscriptionsPort;

  constructor(port: SubscriptionsPort) {
    this.subscribing = new Subscribing(port);
    this.commands = port.commands;
    this.runtime = port.runtime;
    this.#port = port;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Throws where the arguments can't be sent. */
  add<T>(wantedTopic: string, wanted: SubscribeOptions): LocalSubscription<T> {
    const { topic, options } = checkedSubscribe(wantedTopic, wanted);
    const subscription = new LocalSubscription<T>(topic, options, this);
    const member = subscription as LocalSubscription;
    this.#members.add(member);
    if (!needsExtras(topic, options)) this.enter(member);
    else
      this.subscribing.withExtras(({ MemberExtras }) => {
        if (member.state === 'closed') return;
        member.extras = new MemberExtras(member, this.runtime);
        this.enter(member);
      });
    return subscription;
  }

  /** Joins the one on the wire that is for its topic and options. */
  enter(member: LocalSubscription): void {
    const wire = this.wireFor(member.topic, member.options);
    wire.extras?.welcome(member);
    if (wire.join(member)) this.subscribing.askAgain(wire);
    else if (wire.state === 'needed') this.subscribing.planFlush();
    // Not before the caller has had the time to listen.
    queueMicrotask(() => extras.loaded?.showAll(member));
  }

  leave(member: LocalSubscription): void {
    const { wire } = member;
    member.wire = undefined;
    wire?.members.delete(member);
    // In the same turn another may join (a component that remounts): then nothing has to be sent.
    if (wire?.members.size === 0) queueMicrotask(() => this.subscribing.drop(wire));
  }

  wireFor(topic: string, options: SubscribeOptions): Wire {
    const { byKey } = this.subscribing;
    const key = this.subscribing.keyOf(topic, options);
    const known = byKey.get(key);
    if (known) return known;
    const wire = new Wire(topic, key, options, this);
    byKey.set(key, wire);
    return wire;
  }

  // -- SubscriptionHome -------------------------------------------------------------------------------

  remove(member: LocalSubscription): void {
    this.#members.delete(member);
    this.leave(member);
  }

  /** Throws where the keys can't be sent. */
  setKeys(member: LocalSubscription, wanted: readonly string[]): void {
    const keys = checkedKeys(wanted);
    const { since: _since, last: _last, cursor: _cursor, ...selection } = member.options;
    if (!selection.keys) throw ownError('invalid_request', `${member.topic} has no keys.`);
    const options = { ...selection, keys };
    if (member.wire) extras.loaded?.changeKeys(this, member, member.wire, options);
    // It waits for the code.
    else if (member.state !== 'closed') member.options = options;
  }

  report(error: ClientError): void {
    this.#port.report(error);
  }

  // -- WirePort ---------------------------------------------------------------------------------------

  expand(batch: ServerKinds['batch']): ServerKinds['batch']['publications'] | undefined {
    return batch.compressed ? this.subscribing.dictionaries?.expand(batch) : batch.publications;
  }

  newTimer(): Timer {
    return new Timer(this.runtime);
  }

  isOwn(position: TopicPosition): boolean {
    return this.#port.isOwn(position);
  }

  // -- the connection ---------------------------------------------------------------------------------

  disconnected(): void {
    this.acknowledging?.clear();
    this.subscribing.disconnected();
  }

  /** Pushes only; replies are for `PendingCommands`. */
  push(frame: ServerFrame): void {
    if (frame.kind === 'batch') this.#batch(frame);
    else if (frame.kind === 'dictionary') this.subscribing.dictionary(frame);
    else if (frame.kind === 'subscribed') for (const result of frame.results) this.#madeByGateway(result);
    else if (frame.kind === 'reset')
      for (const member of this.subscribing.byView.get(frame.view)?.members ?? []) member.reset(frame);
    else extras.loaded?.push(this.subscribing, frame);
  }

  /** Each session gets `$all`, and that of a user the user's topic, without asking. */
  #madeByGateway(result: SubscribeResult): void {
    const { topic } = result;
    if ('error' in result) {
      const { error } = result;
      this.report(new ClientError({ ...error, message: `${topic}: ${error.message}` }));
      return;
    }
    const wire = this.wireFor(topic, {});
    // The client's own command is on its way and replaces the gateway's subscription.
    if (wire.state === 'asked') return;
    if (wire.members.size === 0) this.#port.serverMade(this.add(topic, {}));
    // It begins after publications that the client missed: the client's own, from its position, replaces it too.
    if (wouldSkip(wire, result)) this.subscribing.flush();
    else {
      this.subscribing.byView.set(result.view, wire);
      wire.toLive(result);
    }
  }

  #batch(frame: ServerKinds['batch']): void {
    const wire = this.subscribing.byView.get(frame.view);
    if (!wire) return;
    const fresh = wire.batch(frame);
    if (fresh === undefined) this.subscribing.recover(wire);
    else this.#port.count('publications', fresh);
  }
}

/** Whether a subscription that begins there would leave a hole after what was seen, or repeat some. */
function wouldSkip({ topic, members }: Wire, { epoch, offset }: Position): boolean {
  return [...members].some((member) => {
    const at = member.at(topic);
    return at !== undefined && (at.epoch || epoch) === epoch && offset !== at.offset;
  });
}
