import type {
  Granted,
  Publication,
  TopicPosition,
  Subscription as WireSubscription,
} from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import type { ClientError } from '../client-error.ts';
import { Backoff } from '../connection/backoff.ts';
import { ReceivedPublication } from '../publication.ts';
import { type Code, extras } from './extras.ts';
import type { Member, Registry, Shared, WireExtras, WireState } from './member.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/** One subscription on the wire, shared by its members: what to send to the gateway, and who gets what comes. */
export class Wire implements Shared {
  readonly topic: string;
  options: SubscribeOptions;
  /** Equal for equal subscriptions. */
  key: string;
  state: WireState = 'needed';
  /** Its number in the gateway's frames while it is live. */
  view = 0;
  /** Present if it is more than one topic from now on. */
  extras: WireExtras | undefined;
  readonly members = new Set<Member>();
  /** It left in this turn: another that joins (a component that remounts) goes on from there. */
  #leaver: Member | undefined;
  /** Between attempts after a refusal that may pass. */
  readonly backoff: Backoff;
  cursor: string | undefined;
  /** Where the gateway was asked to begin last. */
  #starts: readonly TopicPosition[] = [];
  readonly registry: Registry;

  constructor(topic: string, key: string, options: SubscribeOptions, registry: Registry) {
    this.topic = topic;
    this.options = options;
    this.key = key;
    this.backoff = new Backoff({}, registry.runtime);
    this.registry = registry;
  }

  get isPattern(): boolean {
    return this.topic.endsWith('*');
  }

  /** Adds a member. Returns whether the wire has to go back to serve its `since` or `last`. */
  join(member: Member): boolean {
    if (member.extras) this.#extend();
    member.joins(
      this,
      [...this.members, this.#leaver].find((other) => other?.wasLive && !other.stage),
    );
    this.members.add(member);
    if (this.state === 'live' && !member.stage) member.enter('live');
    return this.state === 'live' && Boolean(this.extras?.mustAskAgain);
  }

  leave(member: Member): void {
    this.members.delete(member);
    this.#leaver = member;
    // Later, because another may join in this turn: then nothing has to be sent.
    queueMicrotask(() => {
      this.#leaver = undefined;
      this.registry.drop(this);
    });
  }

  *audience(): Iterable<Member> {
    for (const member of this.members) if (member.stage !== 'waiting') yield member;
  }

  /** Returns the subscription to send. */
  toAsked(): WireSubscription {
    this.state = 'asked';
    const { topic } = this;
    const { intervalMs, conflate } = this.options;
    return { topic, intervalMs, conflate, ...(this.extras?.toAsked() ?? this.#beginning()) };
  }

  /** The gateway has granted it, or has made it by itself. */
  toLive(result: Granted): void {
    this.state = 'live';
    this.view = result.view;
    this.backoff.reset();
    if (result.inbox) this.#extend();
    // Positions say where each member is in a topic, and only a cursor where it is in all topics of a pattern.
    this.cursor = result.cursor ?? this.cursor ?? this.extras?.askedAfter;
    if (this.extras) this.extras.toLive(result, this.#starts);
    else for (const member of this.members) member.begin(result, this.#starts);
  }

  /** Refused, ended or put off. Members get the error, if there is one. */
  toOff(error?: ClientError): void {
    this.state = 'off';
    if (error) for (const member of this.members) member.refuse(error);
  }

  /** The view is gone, with the connection or because the client ended it. Positions stay. */
  toNeeded(): void {
    this.state = 'needed';
    for (const member of this.members) member.enter('pending');
  }

  // -- pushes -----------------------------------------------------------------------------------------

  /**
   * Returns how many publications were new; undefined: something is missing before the batch or in it, and has to be
   * recovered.
   */
  batch(batch: ServerKinds['batch']): number | undefined {
    const { topic = this.topic, view, after, upto } = batch;
    const { extras } = this;
    let fresh: readonly ReceivedPublication[] = [];
    let from = upto;
    let epoch = '';
    for (const member of this.audience()) {
      const at = member.place(topic, batch);
      if (after > at.offset) return extras?.lacks(topic);
      ({ epoch } = at);
      from = Math.min(from, at.offset);
    }
    if (from < upto) {
      const publications = this.registry.expand(batch);
      if (!publications) return extras?.lacks(topic);
      const isFresh = ({ offset }: Publication) =>
        offset > from && !this.registry.port.own.has({ topic, epoch, offset });
      fresh = this.received(topic, publications.filter(isFresh));
      for (const member of this.audience()) {
        const at = member.place(topic, batch);
        const shown = extras?.shown(fresh, member, at.map) ?? fresh;
        if (at.offset < upto) member.take(topic, at, shown, upto, { view, epoch });
      }
      if (fresh.length > 0) extras?.had({ epoch, offset: from }, upto);
    }
    this.advance(batch.cursor);
    return fresh.length;
  }

  received(topic: string, publications: readonly Publication[]): ReceivedPublication[] {
    return publications.map((publication) => new ReceivedPublication(topic, publication));
  }

  /** Everything up to this cursor has come. */
  advance(cursor: string | undefined): void {
    if (cursor === undefined) return;
    this.cursor = cursor;
    this.extras?.advanced();
  }

  // -- inside -----------------------------------------------------------------------------------------

  /** All members that have a position have the same one. */
  #beginning(): Pick<WireSubscription, 'since' | 'cursor'> {
    const { topic } = this;
    const positions = [...this.members].map(({ topics }) => topics.get(topic));
    const start = positions.find((at) => at && !at.awaitsSnapshot);
    const since = start && { epoch: start.epoch, offset: start.offset };
    this.#starts = since ? [{ topic, ...since }] : [];
    return { since, cursor: since && this.cursor };
  }

  /** The code is loaded: the frame or member that needs it has waited for it. */
  #extend(): void {
    this.extras ??= new (extras.loaded as Code).WireExtras(this);
  }
}
