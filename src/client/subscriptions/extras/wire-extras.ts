import type {
  Granted,
  Position,
  TopicPosition,
  Subscription as WireSubscription,
} from '../../../protocol/frames.ts';
import type { ClientError } from '../../client-error.ts';
import type { ReceivedPublication } from '../../publication.ts';
import type { FeedTopic } from '../feed.ts';
import type { Member, WireExtras as Port, Registry, Shared, Stage } from '../member.ts';
import { Acknowledging } from './acknowledging.ts';
import { beginning } from './beginning.ts';
import { KeyedView } from './keyed-view.ts';
import { extend } from './member-extras.ts';

/** The filter, keys, presence, starts, cursor and inbox of a subscription on the wire. */
export class WireExtras implements Port {
  readonly keyed: KeyedView | undefined;
  readonly suspects = new Set<string>();
  /** `byView` of the connection on which the level members had everything last. */
  #levelIn: Registry['byView'] | undefined;
  wasLive = false;
  #unheardAfter: Position | undefined;
  /** A listener has had what was shown since the last call of `had`. */
  #isHeard = false;
  #hasPresence = false;
  /** Members that were told that presence is refused, and the `byView` of the connection on which they were. */
  readonly #unwatched = new Set<Member>();
  #refusedIn: Registry['byView'] | undefined;
  #isInbox = false;
  #isByCursor = false;
  #isAtEnd = false;
  #starts: readonly TopicPosition[] | undefined;
  askedAfter: string | undefined;
  /** Members that go on by positions alone: the reply says whether other topics may have come and gone meanwhile. */
  #unsure: readonly Member[] = [];
  readonly #wire: Shared;

  constructor(wire: Shared) {
    this.#wire = wire;
    this.keyed = wire.options.keys && new KeyedView(wire);
    if (wire.state === 'live') this.#levelIn = wire.registry.byView;
  }

  get isLevel(): boolean {
    return this.#levelIn === this.#wire.registry.byView;
  }

  get mustAskAgain(): boolean {
    return this.#hasTurn || (this.#watching.length > 0 && !this.#hasPresence);
  }

  goOnUnwatched(error: ClientError): boolean {
    const { members, registry } = this.#wire;
    const watching = this.#watching;
    if (!this.#hasPresence || error.code !== 'forbidden' || watching.length === members.size) return false;
    this.#refusedIn = registry.byView;
    for (const member of watching) {
      this.#unwatched.add(member);
      if (!member.emitter.emit('error', error)) registry.report(error);
    }
    registry.askAgain(this.#wire);
    return true;
  }

  welcome(member: Member): void {
    const { topic, options } = member;
    const since = this.#unheardAfter;
    this.#unheardAfter = undefined;
    if (!since || options.since || options.last || options.cursor) return;
    member.stand(topic, since);
    extend(member, this.#wire.registry.runtime, since);
  }

  toAsked(): Omit<WireSubscription, 'topic'> {
    const { isPattern, members, options, registry } = this.#wire;
    this.askedAfter = isPattern ? registry.all().find(({ cursor }) => cursor)?.cursor : undefined;
    this.#hasPresence = this.#watching.length > 0;
    const presence = this.#hasPresence || undefined;
    const keys = this.keyed?.toAsked();
    const { members: asked, wire, starts, atEnd = false } = beginning(this.#wire, this);
    this.#starts = starts;
    this.#isAtEnd = atEnd;
    this.#isByCursor = isPattern && wire.cursor !== undefined;
    this.#unsure = isPattern && !this.#isByCursor ? asked : [];
    for (const member of members) member.extras?.toTurn(asked.includes(member));
    return { filter: options.filter, presence, keys, ...wire };
  }

  toLive(result: Granted, starts: readonly TopicPosition[]): void {
    const { view, cursor, inbox, epoch, offset, recovered } = result;
    const wire = this.#wire;
    const continues = this.wasLive;
    this.wasLive = true;
    this.keyed?.toGranted();
    this.#isInbox = inbox === true;
    for (const member of wire.audience()) {
      member.begin(result, this.#starts ?? starts, this.#isByCursor);
      if (recovered === false && this.#unsure.includes(member))
        member.emitter.emit('gap', { topic: wire.topic, epoch: '' });
    }
    const isToCome = wire.isPattern && cursor === undefined && wire.cursor !== undefined;
    if (!isToCome) this.#toLevel();
    // The connection may have been lost before the gateway got the last acknowledgement.
    if (continues && this.#isInbox && !this.#unheardAfter) this.#acknowledge(view, { epoch, offset });
  }

  lacks(topic: string): undefined {
    this.suspects.add(topic);
  }

  shown(
    fresh: readonly ReceivedPublication[],
    member: Member,
    map: FeedTopic<ReceivedPublication>['map'],
  ): readonly ReceivedPublication[] {
    if (fresh.length > 0) this.#isHeard ||= member.audience.hears('publication');
    return this.keyed?.shown(fresh, map?.entries) ?? fresh;
  }

  had(before: Position, offset: number): void {
    const isHeard = this.#isHeard;
    this.#isHeard = false;
    if (!this.#isInbox) return;
    if (!isHeard) this.#unheardAfter ??= before;
    else if (!this.#unheardAfter) this.#acknowledge(this.#wire.view, { epoch: before.epoch, offset });
  }

  advanced(): void {
    this.#toLevel();
    if (this.#hasTurn) this.#wire.registry.askAgain(this.#wire);
  }

  /** The members that were asked for have had everything up to the wire's cursor, unless the values are lacking. */
  #toLevel(): void {
    const wire = this.#wire;
    if (wire.cursor?.endsWith('!')) return;
    this.#levelIn = wire.registry.byView;
    this.suspects.clear();
    for (const member of wire.audience()) {
      member.extras?.toLevel(this.#isAtEnd);
      // Topics that were quiet for long will not repeat, and need no position.
      member.extras?.forgetQuiet();
    }
    this.#isAtEnd = false;
  }

  /** The start of a waiting member can be asked for: of the one before, nothing is to come. */
  get #hasTurn(): boolean {
    return this.isLevel && this.#is('waiting') && !this.#is('asked');
  }

  /** The application has received everything of this view up to this position. */
  #acknowledge(view: number, position: Position): void {
    const { registry } = this.#wire;
    registry.acknowledging ??= new Acknowledging(registry.commands, registry.newTimer());
    registry.acknowledging.note(view, position);
  }

  /** Those that want presence, and were not told on this connection that it is refused. */
  get #watching(): readonly Member[] {
    const { members, registry } = this.#wire;
    if (this.#refusedIn !== registry.byView) this.#unwatched.clear();
    return [...members].filter((member) => member.options.presence && !this.#unwatched.has(member));
  }

  #is(wanted: Stage): boolean {
    return [...this.#wire.members].some(({ stage }) => stage === wanted);
  }
}
