import type { Position, SubscribeResult } from '../../protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../protocol/server-frames.ts';
import { ClientError } from '../client-error.ts';
import { checkedSubscribe } from '../requests.ts';
import { extras, needsExtras } from './extras.ts';
import { type LocalHome, LocalSubscription } from './local-subscription.ts';
import type { Audience } from './member.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import { Wire } from './wire.ts';
import { Wires } from './wires.ts';

/** All subscriptions of a client. Hands each frame to the subscription that it is for. */
export class Subscriptions extends Wires implements LocalHome {
  closedBy: ClientError | undefined;
  readonly #members = new Set<LocalSubscription>();

  get size(): number {
    return this.#members.size;
  }

  /** Throws if the arguments can't be sent. */
  add<T>(wantedTopic: string, wanted: SubscribeOptions, audience?: Audience): LocalSubscription<T> {
    const { topic, options } = checkedSubscribe(wantedTopic, wanted);
    const member = new LocalSubscription(topic, options, this, audience);
    this.#members.add(member);
    if (!needsExtras(topic, options)) this.enter(member);
    else
      this.withExtras(({ extend }) => {
        if (member.state === 'closed') return;
        extend(member, this.runtime);
        this.enter(member);
      });
    return member as LocalSubscription<T>;
  }

  /** Joins the subscription on the wire for its topic and options. */
  enter(member: LocalSubscription): void {
    const wire = this.wireFor(member.topic, member.options);
    wire.extras?.welcome(member);
    if (wire.join(member)) this.askAgain(wire);
    // The newcomer is to learn why others were refused.
    else if (wire.state === 'off') this.askRefused();
    else this.planFlush();
    // Later, so that the caller can add listeners first.
    queueMicrotask(() => extras.loaded?.showAll(member));
  }

  wireFor(topic: string, options: SubscribeOptions): Wire {
    const key = this.keyOf(topic, options);
    const existing = this.byKey.get(key);
    if (existing) return existing;
    const wire = new Wire(topic, key, options, this);
    this.byKey.set(key, wire);
    return wire;
  }

  // -- LocalHome --------------------------------------------------------------------------------------

  remove(member: LocalSubscription): void {
    this.#members.delete(member);
    member.leave();
  }

  /** The state of the client has changed; `reason`: why it is closed. */
  clientChanged(reason: ClientError | undefined): void {
    this.closedBy = reason;
    for (const member of this.#members) member.settle();
  }

  // -- pushes -----------------------------------------------------------------------------------------

  /** Replies are for `PendingCommands`. */
  push(frame: ServerFrame): void {
    if (frame.kind === 'batch') this.#batch(frame);
    else if (frame.kind === 'dictionary') {
      // That of a view that has ended would be kept for ever. A copy, because it outlives its message.
      if (this.byView.has(frame.view))
        this.dictionaries.set(frame.view, { ...frame, data: frame.data.slice() });
    } else if (frame.kind === 'subscribed') for (const result of frame.results) this.#madeByGateway(result);
    else if (frame.kind === 'reset')
      for (const member of this.byView.get(frame.view)?.audience() ?? []) member.reset(frame);
    else extras.loaded?.push(this, frame);
  }

  /** The gateway subscribes each session to `$all`, and that of a user to the user's topic. */
  #madeByGateway(result: SubscribeResult): void {
    const { topic } = result;
    if ('error' in result) {
      const { error } = result;
      this.report(new ClientError({ ...error, message: `${topic}: ${error.message}` }));
      return;
    }
    const { epoch, offset } = result;
    const wire = this.wireFor(topic, {});
    // The client has subscribed itself, which replaces the gateway's subscription.
    if (wire.state === 'asked') return;
    const { port } = this;
    if (wire.members.size === 0) port.serverMade(this.add(topic, {}, port.emitter));
    // It begins after what the client may have missed, also without a numbering: a topic that was empty may have had
    // some, and lost them. Once connected the client subscribes from its position, and learns what is lost.
    const isElsewhere = (at?: Position) => at && !(epoch && at.epoch === epoch && at.offset === offset);
    if ([...wire.members].some((each) => each.stage || isElsewhere(each.at(topic)))) return;
    this.byView.set(result.view, wire);
    wire.toLive(result);
  }

  #batch(frame: ServerKinds['batch']): void {
    const wire = this.byView.get(frame.view);
    if (!wire) return;
    const fresh = wire.batch(frame);
    if (fresh !== undefined) this.port.stats.publications += fresh;
    else {
      this.port.stats.gaps++;
      this.withExtras(({ recover }) => recover(this, wire));
    }
  }
}
