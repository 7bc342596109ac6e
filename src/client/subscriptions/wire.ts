import type {
  Granted,
  Position,
  Publication,
  TopicPosition,
  Subscription as WireSubscription,
} from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import type { ClientError } from '../client-error.ts';
import { Backoff } from '../connection/backoff.ts';
import { ReceivedPublication } from '../publication.ts';
import type { Beginning } from './beginning.ts';
import { extras } from './extras.ts';
import { minRecoveryIntervalMs } from './feed.ts';
import type { Keyed, Member, Shared, WireState } from './member.ts';
import { judge } from './positions.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/** What a subscription on the wire needs from its surroundings. */
export interface WirePort {
  random(): number;
  /** The publications of a batch, plain; `undefined` when its compressed body doesn't check. */
  expand(batch: ServerKinds['batch']): ServerKinds['batch']['publications'] | undefined;
  /** Whether this client published it, and doesn't want it back. */
  isOwn(position: TopicPosition): boolean;
  /** The application has had everything of this view of an inbox up to this offset. */
  had(view: number, offset: number): void;
}

/** One subscription on the wire, for the local ones that share it: what to ask for, and who gets what comes. */
export class Wire implements Shared {
  readonly topic: string;
  options: SubscribeOptions;
  /** Equal for equal subscriptions. */
  key: string;
  state: WireState = 'needed';
  /** The number by which the gateway's frames name it while it is live. */
  view = 0;
  /** Where it asks for some keys of a state topic only. */
  readonly keyed: Keyed | undefined;
  readonly members = new Set<Member>();
  /** Between attempts after a refusal that may pass. */
  readonly backoff: Backoff;
  /** Of an inbox: publications after this position came when nothing listened. */
  unheardAfter: Position | undefined;
  /** The newest that the gateway gave: everything up to there has come, or was named as lost. */
  cursor: string | undefined;
  /** A pattern's topic of which something is missing that `cursor` may count as received. */
  suspect: string | undefined;
  wasLive = false;
  #recoveredAtMs = Number.NEGATIVE_INFINITY;
  #hasPresence = false;
  #isInbox = false;
  /** Where the gateway was asked to begin last, and the members that wanted to begin there. */
  #starts: readonly TopicPosition[] = [];
  #askedCursor: string | undefined;
  #asked: readonly Member[] = [];
  readonly #port: WirePort;

  constructor(topic: string, key: string, options: SubscribeOptions, port: WirePort) {
    this.topic = topic;
    this.options = options;
    this.key = key;
    this.keyed = options.keys && extras.loaded && new extras.loaded.KeyedView(this);
    this.backoff = new Backoff({}, () => port.random());
    this.#port = port;
  }

  get isPattern(): boolean {
    return this.topic.endsWith('*');
  }

  /** Adds a member. Returns whether the wire has to go back to serve its `since` or `last`. */
  join(member: Member): boolean {
    const others = [...this.members];
    member.joins(
      this,
      others.find(({ wasLive, isUnserved }) => wasLive && !isUnserved),
    );
    this.members.add(member);
    if (this.state === 'live') member.enter('live');
    return this.state === 'live' && this.mustAskAgain;
  }

  /** A member joined after the subscribe was sent, and wants more. */
  get mustAskAgain(): boolean {
    return this.#some(({ isUnserved }) => isUnserved) || (this.#wantsPresence && !this.#hasPresence);
  }

  /** Returns what to ask the gateway for. */
  toAsked(): WireSubscription {
    this.state = 'asked';
    const { topic } = this;
    const { filter, intervalMs, conflate } = this.options;
    this.#hasPresence = this.#wantsPresence;
    const presence = this.#hasPresence || undefined;
    const keys = this.keyed?.toAsked();
    const { wire, starts } = this.#beginning();
    this.#starts = starts;
    this.#askedCursor = this.isPattern ? wire.cursor : undefined;
    // One cursor at a time: members of a pattern that want another one are served after this one.
    this.#asked = [...this.members].filter(
      ({ isUnserved, options: { cursor } }) =>
        isUnserved && !(this.isPattern && cursor !== undefined && cursor !== wire.cursor),
    );
    return { topic, filter, intervalMs, conflate, presence, keys, ...wire };
  }

  /** Asked for, or made by the gateway on its own: granted. */
  toLive(result: Granted): void {
    const { view, cursor, inbox, offset } = result;
    const continues = this.wasLive;
    const asked = this.#askedCursor;
    this.state = 'live';
    this.view = view;
    this.wasLive = true;
    this.keyed?.toGranted();
    this.#isInbox = inbox === true;
    this.backoff.reset();
    for (const member of this.#asked) member.isUnserved = false;
    // What one topic's older cursor says stays true.
    this.cursor = cursor ?? asked ?? (this.isPattern ? undefined : this.cursor);
    for (const member of this.members)
      if (!member.isUnserved) member.begin(result, this.#starts, asked !== undefined);
    // The connection may have gone before the gateway heard of it.
    if (continues && this.#isInbox && !this.unheardAfter) this.#port.had(view, offset);
  }

  /** Refused, ended or put off. With an error the members hear of it. */
  toOff(error?: ClientError): void {
    this.state = 'off';
    if (error) for (const member of this.members) member.refuse(error);
  }

  /** The view is gone, with the connection or by our own doing. Positions stay. */
  toNeeded(): void {
    this.state = 'needed';
    for (const member of this.members) member.enter('pending');
  }

  /**
   * Something is missing: how long to wait before the next attempt to recover it. A view whose batches never fit must
   * not turn into a storm of subscribe commands.
   */
  recoveryDelayMs(nowMs: number): number {
    const waitMs = Math.max(0, this.#recoveredAtMs + minRecoveryIntervalMs - nowMs);
    this.#recoveredAtMs = nowMs + waitMs;
    return waitMs;
  }

  // -- pushes -----------------------------------------------------------------------------------------

  /**
   * Returns how many publications were new; `undefined` when something is missing before or in the batch:
   * then recover.
   */
  batch(batch: ServerKinds['batch']): number | undefined {
    const { topic = this.topic, view, cursor, upto } = batch;
    let first: Position | undefined;
    for (const member of this.members) {
      const at = member.place(topic, batch);
      const { kind } = judge(at, batch);
      if (kind === 'gap') return this.#suspects(topic);
      if (kind === 'accept' && !(first && first.offset <= at.offset))
        first = { epoch: at.epoch, offset: at.offset };
    }
    let fresh: readonly ReceivedPublication[] = [];
    if (first) {
      const { epoch, offset: from } = first;
      const publications = this.#port.expand(batch);
      if (!publications) return this.#suspects(topic);
      const others = publications.filter(
        ({ offset }) => offset > from && !this.#port.isOwn({ topic, epoch, offset }),
      );
      fresh = this.received(topic, others);
      const isHeard = this.#some((member) => member.isHeard());
      for (const member of this.members) {
        const at = member.place(topic, batch);
        const shown = this.keyed?.shown(fresh, at.map?.entries) ?? fresh;
        if (at.offset < upto) member.take(topic, at, shown, upto, { view, epoch });
      }
      if (this.#isInbox && fresh.length > 0) this.#had(first, upto, isHeard);
    }
    this.#advance(cursor);
    return fresh.length;
  }

  received(topic: string, publications: readonly Publication[]): ReceivedPublication[] {
    return publications.map((publication) => new ReceivedPublication(topic, publication));
  }

  caughtUp(frame: ServerKinds['caughtUp']): void {
    if (frame.recovered) this.#advance(frame.cursor);
    for (const member of this.members) member.caughtUp(frame);
  }

  // -- inside -----------------------------------------------------------------------------------------

  /** Without extras all members are at the same place. */
  #beginning(): Beginning {
    if (extras.loaded) return extras.loaded.beginning(this);
    for (const { topics, cursor } of this.members)
      for (const [topic, { epoch, offset, awaitsSnapshot }] of topics)
        if (!awaitsSnapshot)
          return { starts: [{ topic, epoch, offset }], wire: { since: { epoch, offset }, cursor } };
    return { starts: [], wire: {} };
  }

  get #wantsPresence(): boolean {
    return this.#some(({ options }) => Boolean(options.presence));
  }

  #some(is: (member: Member) => boolean): boolean {
    return [...this.members].some(is);
  }

  #suspects(topic: string): undefined {
    this.suspect = topic;
  }

  #had(before: Position, offset: number, isHeard: boolean): void {
    if (!isHeard) this.unheardAfter ??= before;
    else if (!this.unheardAfter) this.#port.had(this.view, offset);
  }

  /** Everything up to this cursor has come. What came long before it will not come again, and needs no position. */
  #advance(cursor: string | undefined): void {
    if (cursor === undefined) return;
    this.cursor = cursor;
    this.suspect = undefined;
    for (const member of this.members) member.extras?.forgetQuiet();
  }
}
