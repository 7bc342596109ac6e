import type { Granted, Position, Subscription as WireSubscription } from '../../../protocol/frames.ts';
import type { ReceivedPublication } from '../../publication.ts';
import type { Known } from '../feed.ts';
import type { Member, WireExtras as Port, Registry, Shared } from '../member.ts';
import { Acknowledging } from './acknowledging.ts';
import { beginning } from './beginning.ts';
import { KeyedView } from './keyed-view.ts';
import { MemberExtras } from './member-extras.ts';

/** The filter, keys, presence, starts, cursor and inbox of a subscription on the wire. */
export class WireExtras implements Port {
  readonly keyed: KeyedView | undefined;
  suspect: string | undefined;
  isBeforeCursor = false;
  /** `byView` of the connection on which it was live last. */
  #servedIn: Registry['byView'] | undefined;
  wasLive = false;
  #unheardAfter: Position | undefined;
  /** A listener has had what was shown since the last call of `had`. */
  #isHeard = false;
  #hasPresence = false;
  #isInbox = false;
  #askedCursor: string | undefined;
  #isAtEnd = false;
  /** The members whose starts were sent last. */
  #asked: readonly Member[] = [];
  readonly #wire: Shared;

  constructor(wire: Shared) {
    this.#wire = wire;
    this.keyed = wire.options.keys && new KeyedView(wire);
  }

  get mustAskAgain(): boolean {
    return this.#some(({ isUnserved }) => isUnserved) || (this.#wantsPresence && !this.#hasPresence);
  }

  get isServed(): boolean {
    return this.#servedIn === this.#wire.registry.byView;
  }

  welcome(member: Member): void {
    const { topic, options } = member;
    const since = this.#unheardAfter;
    this.#unheardAfter = undefined;
    if (!since || options.since || options.last || options.cursor) return;
    member.options = { ...options, since };
    member.topics.set(topic, { ...since });
    member.extras ??= new MemberExtras(member, this.#wire.registry.runtime);
  }

  toAsked(): Omit<WireSubscription, 'topic'> {
    const { isPattern, members, options } = this.#wire;
    this.#hasPresence = this.#wantsPresence;
    const presence = this.#hasPresence || undefined;
    const keys = this.keyed?.toAsked();
    const { wire, starts, atEnd = false } = beginning(this.#wire, this);
    this.#wire.starts = starts;
    this.#isAtEnd = atEnd;
    this.#askedCursor = isPattern ? wire.cursor : undefined;
    // One cursor at a time: members of a pattern with another cursor are served after this one.
    this.#asked = [...members].filter(
      ({ isUnserved, options: { cursor } }) =>
        isUnserved && !(isPattern && cursor !== undefined && cursor !== wire.cursor),
    );
    return { filter: options.filter, presence, keys, ...wire };
  }

  toLive(result: Granted): void {
    const { view, cursor, inbox, epoch, offset } = result;
    const { isPattern, members, starts } = this.#wire;
    const continues = this.wasLive;
    const asked = this.#askedCursor;
    this.wasLive = true;
    this.#servedIn = this.#wire.registry.byView;
    this.isBeforeCursor = asked !== undefined && starts.length > 0;
    this.keyed?.toGranted();
    this.#isInbox = inbox === true;
    for (const member of this.#asked) member.isUnserved = false;
    // An older cursor of a single topic stays valid.
    this.#wire.cursor = cursor ?? asked ?? (isPattern ? undefined : this.#wire.cursor);
    for (const member of members) {
      if (member.isUnserved) continue;
      member.begin(result, starts, asked !== undefined);
    }
    if (this.#isAtEnd) for (const member of this.#asked) member.isUnserved = goesBack(member);
    // The connection may have been lost before the gateway got the last acknowledgement.
    if (continues && this.#isInbox && !this.#unheardAfter) this.#acknowledge(view, { epoch, offset });
  }

  lacks(topic: string): undefined {
    this.suspect = topic;
  }

  shown(
    fresh: readonly ReceivedPublication[],
    member: Member,
    map: Known<ReceivedPublication>['map'],
  ): readonly ReceivedPublication[] {
    if (fresh.length > 0) this.#isHeard ||= member.isHeard();
    return this.keyed?.shown(fresh, map?.entries) ?? fresh;
  }

  had(before: Position, offset: number): void {
    const isHeard = this.#isHeard;
    this.#isHeard = false;
    if (!this.#isInbox) return;
    if (!isHeard) this.#unheardAfter ??= before;
    else if (!this.#unheardAfter) this.#acknowledge(this.#wire.view, { epoch: before.epoch, offset });
  }

  /** Topics that were quiet for long will not repeat, and need no position. */
  advanced(): void {
    this.suspect = undefined;
    this.isBeforeCursor = false;
    for (const member of this.#wire.members) member.extras?.forgetQuiet();
  }

  /** The application has received everything of this view up to this position. */
  #acknowledge(view: number, position: Position): void {
    const { registry } = this.#wire;
    registry.acknowledging ??= new Acknowledging(registry.commands, registry.newTimer());
    registry.acknowledging.note(view, position);
  }

  get #wantsPresence(): boolean {
    return this.#some(({ options }) => Boolean(options.presence));
  }

  #some(is: (member: Member) => boolean): boolean {
    return [...this.#wire.members].some(is);
  }
}

/** From the end, by its `last`. Returns whether there is a topic to go back in: a state topic sends its map. */
function goesBack(member: Member): boolean {
  const topics = [...member.topics].filter(([, { map }]) => map === undefined);
  member.isUnserved = (member.options.last ?? 0) > 0;
  for (const [topic, at] of topics)
    member.stand(topic, member.extras?.begins(topic, at, member.topics.size) ?? at);
  return member.isUnserved && topics.length > 0;
}
