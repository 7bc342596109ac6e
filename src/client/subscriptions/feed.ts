import type {
  Granted,
  Mode,
  OffsetRange,
  Position,
  TopicPosition,
  TopicResult,
} from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import type { ClientError } from '../client-error.ts';
import type { Emitter } from '../emitter.ts';
import type { Entry, LiveMap } from './live-map.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { FeedEvents, PublicationMeta, SubscriptionState } from './subscription.ts';

/** A publication, as far as a feed looks at it. */
export interface FeedPublication extends Entry {
  readonly offset: number;
}

/** What is known of a topic. */
export interface Known<P extends FeedPublication> {
  epoch: string;
  /** Up to where everything has come, or begins to come again. */
  offset: number;
  /** Where more than that was delivered before: up to here. */
  seen?: number;
  /** Of a state topic, from when it is known to be one. */
  map?: LiveMap<P>;
  /** A snapshot is to come: the position only serves to judge batches. */
  awaitsSnapshot?: boolean;
}

export const minRecoveryIntervalMs = 1_000;

/**
 * What one subscription of the application gets: positions, live maps, delivery. Delivers each publication at most
 * once, in order, and names what is lost.
 */
export abstract class Feed<P extends FeedPublication> {
  readonly topic: string;
  readonly isPattern: boolean;
  readonly events: Emitter<FeedEvents<P>>;
  state: SubscriptionState = 'pending';
  error: ClientError | undefined;
  /** From then on it can miss something. */
  wasLive = false;
  /** One, or those of a pattern that it has heard of. */
  readonly topics = new Map<string, Known<P>>();
  /**
   * While a pattern continues by its cursor: whether nothing was lost as far as that is known. Losses are named one by
   * one until the catch-up ends; only then is it known whether there was none.
   */
  #isWhole: boolean | undefined;

  constructor(
    topic: string,
    since: NonNullable<SubscribeOptions['since']> = [],
    events: Emitter<FeedEvents<P>>,
  ) {
    this.topic = topic;
    this.isPattern = topic.endsWith('*');
    this.events = events;
    for (const { topic: name, epoch, offset } of 'offset' in since ? [{ topic, ...since }] : since)
      this.topics.set(name, { epoch, offset });
  }

  at(topic: string): Position | undefined {
    const known = this.topics.get(topic);
    return known && { epoch: known.epoch, offset: Math.max(known.offset, known.seen ?? 0) };
  }

  entries(topic: string): ReadonlyMap<string, P> {
    return this.topics.get(topic)?.map?.entries ?? none;
  }

  enter(state: SubscriptionState, error?: ClientError): void {
    this.error = error;
    if (state === 'live') this.wasLive = true;
    if (state === this.state) return;
    this.state = state;
    this.events.emit('state', state);
  }

  // -- the gateway's reply ----------------------------------------------------------------------------

  /** It begins, or begins again. `starts`: the positions that were asked for; undefined: a cursor was. */
  begin(granted: Granted, starts: readonly TopicPosition[], byCursor: boolean): void {
    if (byCursor) this.continued(granted);
    for (const start of this.isPattern ? (granted.topics ?? []) : [granted])
      this.#begin(
        start,
        starts.find(({ topic }) => topic === start.topic),
      );
    this.enter('live');
  }

  #begin(start: TopicResult, asked: Position | undefined): void {
    const { topic, epoch, offset, mode, recovered, missing } = start;
    const own = this.at(topic);
    const continues = recovered === true && asked?.offset === offset && (asked.epoch || epoch) === epoch;
    // A position that the topic never reached must not hide what comes.
    const seen = recovered !== false && own?.epoch === epoch ? own.offset : 0;
    const known = this.#learn(topic, mode, { epoch, offset, seen });
    if (mode === 'state' && recovered === false) this.#clearMap(topic);
    else if (mode === 'state' && !continues) {
      // After offset 0, and of a topic that a pattern wasn't asked for, everything may follow in place of a snapshot.
      this.complete(known, offset === 0);
      if (offset === 0 || (this.isPattern && !asked)) this.#clearMap(topic);
    }
    const isReset = own?.epoch && own.epoch !== epoch;
    if (isReset) this.events.emit('reset', { topic, epoch, offset: missing?.after ?? offset }, own);
    else if (own && recovered) this.events.emit('recovered', { topic, epoch, offset });
    if (mode === 'state' || (isReset ? !missing : recovered !== false)) return;
    if (!missing && !own?.epoch && offset === 0) this.events.emit('gap', { topic, epoch });
    else {
      const from = isReset ? 0 : (own?.offset ?? 0);
      this.#lost(topic, epoch, missing ?? { after: from, upto: offset }, from);
    }
  }

  /** The reply to a pattern's cursor. Missed publications follow, and lost ones are named, topic by topic. */
  protected continued({ recovered = false, cursor }: Granted): void {
    this.#isWhole = recovered;
    if (!recovered) this.events.emit('gap', { topic: this.topic, epoch: '' });
    else if (cursor !== undefined) this.#endContinuation();
  }

  #endContinuation(): void {
    const at = { topic: this.topic, epoch: '', offset: 0 };
    if (this.#isWhole) this.events.emit('recovered', at);
    this.#isWhole = undefined;
  }

  // -- pushes -----------------------------------------------------------------------------------------

  /** Where it is in the topic of a batch. A topic of a pattern that is not known begins with it. */
  place(topic: string, { epoch, after }: Pick<ServerKinds['batch'], 'epoch' | 'after'>): Known<P> {
    const known = this.topics.get(topic);
    const start = { epoch: epoch ?? '', offset: after };
    if (!known) return start;
    if ((epoch ?? known.epoch) === known.epoch) return known;
    this.reset({ topic, epoch: start.epoch, offset: 0, mode: known.map ? 'state' : 'stream' });
    this.#lost(topic, start.epoch, { after: 0, upto: after }, 0);
    return this.stand(topic, start);
  }

  /** `at`: what `place` returned. Takes the publications after it; then the position is `upto`. */
  take(topic: string, at: Known<P>, publications: readonly P[], upto: number, meta: PublicationMeta): void {
    const { offset: from } = at;
    const fresh = publications.filter(({ offset }) => offset > from);
    const known = this.stand(topic, at);
    known.map?.apply(fresh);
    for (const publication of fresh) {
      if (this.state === 'closed') return;
      if (!(publication.offset <= (known.seen ?? 0))) this.give(publication, meta);
      known.offset = publication.offset;
    }
    known.offset = upto;
    if (fresh.length > 0) this.tellMap(topic, known.map);
  }

  snapshot(page: Omit<ServerKinds['snapshot'], 'publications'> & { publications: readonly P[] }): void {
    const { topic, epoch, offset } = page;
    const known = this.topics.get(topic) ?? this.stand(topic, { epoch, offset: 0, awaitsSnapshot: true });
    known.map ??= this.newMap();
    if (!known.map.page(page.publications, page)) return;
    this.stand(topic, { epoch, offset, seen: 0 });
    this.complete(known, true);
    this.show({ topic, epoch, offset }, known.map);
  }

  /** Also the birth of a state topic in a pattern. Of a numbering that is known nothing is said. */
  reset({ topic, epoch, offset, mode }: Omit<ServerKinds['reset'], 'view'>): void {
    const previous = this.at(topic);
    if (previous?.epoch === epoch) return;
    this.complete(this.#learn(topic, mode, { epoch, offset, seen: 0 }), true);
    if (previous?.epoch) {
      this.#isWhole &&= false;
      this.events.emit('reset', { topic, epoch, offset }, previous);
    }
    this.#clearMap(topic);
  }

  lagging(): void {
    this.enter('lagging');
  }

  /** `recovered: false` names what is gone, and the catch-up goes on; otherwise live batches follow. */
  caughtUp({ topic, epoch, offset, recovered, missing }: ServerKinds['caughtUp']): void {
    if (recovered) {
      this.#endContinuation();
      if (this.state === 'lagging') this.enter('live');
      return;
    }
    // Also of a topic that is gone, or that was born while this client was away.
    if (this.at(topic)?.epoch !== epoch)
      this.reset({ topic, epoch, offset: missing?.after ?? offset, mode: 'stream' });
    const from = this.at(topic)?.offset ?? 0;
    if (missing && this.#lost(topic, epoch, missing, from)) this.#isWhole &&= false;
    if (offset > from) this.stand(topic, { epoch, offset });
  }

  // -- inside -----------------------------------------------------------------------------------------

  /** Of a state topic that was not known to be one. */
  protected abstract newMap(): LiveMap<P>;

  protected give(publication: P, meta: PublicationMeta): void {
    this.events.emit('publication', publication, meta);
  }

  /** Everything of a state topic. */
  protected show({ topic }: TopicPosition, map: LiveMap<P>): void {
    this.tellMap(topic, map);
  }

  /** Whether all values of a state topic have come. */
  protected complete(known: Known<P>, isComplete: boolean): void {
    known.awaitsSnapshot = !isComplete;
  }

  stand(topic: string, at: Known<P>): Known<P> {
    const known = Object.assign(this.topics.get(topic) ?? {}, at);
    this.topics.set(topic, known);
    return known;
  }

  /** A map that was not handed out needn't be copied at the next change. */
  tellMap(topic: string, map: LiveMap<P> | undefined): void {
    if (map && this.events.hears('map')) this.events.emit('map', map.entries, topic);
  }

  /** Names a loss, as far as it was not seen already. Returns whether there was any. */
  #lost(topic: string, epoch: string, missing: OffsetRange, from: number): boolean {
    const after = Math.max(missing.after, from);
    if (after >= missing.upto) return false;
    this.events.emit('gap', { topic, epoch, missing: { after, upto: missing.upto } });
    return true;
  }

  #learn(topic: string, mode: Mode, at: Known<P>): Known<P> {
    if (mode === 'stream') this.#clearMap(topic);
    const known = this.stand(topic, at);
    if (mode === 'state') known.map ??= this.newMap();
    else known.map = known.awaitsSnapshot = undefined;
    return known;
  }

  #clearMap(topic: string): void {
    const map = this.topics.get(topic)?.map;
    const wasEmpty = map?.size === 0;
    map?.clear();
    if (!wasEmpty) this.tellMap(topic, map);
  }
}

const none = new Map<string, never>();
