import { subscriptionText } from '../protocol/equal-subscriptions.ts';
import type {
  Granted,
  Mode,
  Position,
  ServerKinds,
  TopicPosition,
  Subscription as WireSubscription,
} from '../protocol/frames.ts';
import { Backoff } from './backoff.ts';
import type { ClientError } from './client-error.ts';
import { LiveMap } from './live-map.ts';
import { judge, Positions } from './positions.ts';
import { ReceivedPublication } from './received.ts';
import { startingPoints } from './starting-point.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { StateMap, Subscription, TopicStart } from './subscription.ts';

/** What a shared subscription needs from its surroundings. */
export interface SharedPort {
  random(): number;
  /** The publications of a batch, plain; `undefined` when its compressed body doesn't check. */
  expand(batch: ServerKinds['batch']): ServerKinds['batch']['publications'] | undefined;
  /** Whether this client published it, and doesn't want it back. */
  isOwn(position: TopicPosition): boolean;
}

const noEntries: StateMap = new Map();

/**
 * One subscription on the wire and the local ones that share it: positions, live maps, delivery.
 * needed: to be asked for; asked: the command is out; live: batches may come; off: refused or ended, perhaps
 * to be asked for later.
 */
export class SharedSubscription {
  readonly topic: string;
  readonly options: SubscribeOptions;
  /** Equal for equal subscriptions. */
  readonly text: string;
  readonly members = new Set<Subscription>();
  phase: 'needed' | 'asked' | 'live' | 'off' = 'needed';
  view = 0;
  /** Between attempts after a refusal that may pass. */
  readonly backoff: Backoff;
  recoveredAtMs = Number.NEGATIVE_INFINITY;
  #wasLive = false;
  #hasPresence = false;
  readonly #positions = new Positions();
  /** Of each state topic, from when it is known to be one. */
  readonly #maps = new Map<string, LiveMap>();
  /** State topics whose snapshot isn't complete: their position doesn't count, a new snapshot is needed. */
  readonly #incomplete = new Set<string>();
  /**
   * Members whose `since` or `last` the gateway hasn't granted yet, and those of them that it was asked for.
   */
  readonly #wishes = new Set<Subscription>();
  #asked: readonly Subscription[] = [];
  /** The positions that were asked for last. */
  #starts: readonly TopicPosition[] = [];

  readonly #port: SharedPort;

  constructor(topic: string, options: SubscribeOptions, port: SharedPort) {
    this.topic = topic;
    this.options = options;
    this.text = subscriptionText({ topic, ...options });
    this.backoff = new Backoff({}, () => port.random());
    this.#port = port;
  }

  get isPattern(): boolean {
    return this.topic.endsWith('*');
  }

  /** Adds a member. Answers whether the wire has to go back to serve its `since` or `last`. */
  join(member: Subscription): boolean {
    this.members.add(member);
    if (this.#mustServe(member)) this.#wishes.add(member);
    else for (const position of this.#positions.list()) member.stand(position);
    if (this.phase === 'live') member.enter('live');
    return this.phase === 'live' && this.mustAskAgain;
  }

  leave(member: Subscription): void {
    this.members.delete(member);
    this.#wishes.delete(member);
  }

  /** A member that came late to a state topic sees at once what the others see. */
  show(member: Subscription): void {
    for (const position of this.#positions.list()) {
      const map = this.#maps.get(position.topic);
      if (!map || this.#incomplete.has(position.topic)) continue;
      member.tell('snapshot', map.entries, position);
      this.#tellMap(member, map, position.topic);
    }
  }

  /** A member joined after the subscribe was sent, and wants more. */
  get mustAskAgain(): boolean {
    return this.#wishes.size > 0 || (this.#wantsPresence() && !this.#hasPresence);
  }

  /** What to ask the gateway for, now. */
  ask(): WireSubscription {
    this.phase = 'asked';
    const { filter, intervalMs, conflate } = this.options;
    this.#hasPresence = this.#wantsPresence();
    const presence = this.#hasPresence || undefined;
    const wish = { topic: this.topic, filter, intervalMs, conflate, presence };
    const known = this.#positions.list().filter(({ topic }) => !this.#incomplete.has(topic));
    this.#asked = [...this.#wishes];
    const wishes = this.#asked.map(({ options }) => options);
    this.#starts = startingPoints(this.topic, known, wishes);
    const [first] = this.#starts;
    if (this.isPattern && (first || this.#wasLive)) return { ...wish, positions: this.#patternStarts() };
    if (first) return { ...wish, since: { epoch: first.epoch, offset: first.offset } };
    return { ...wish, last: Math.max(0, ...wishes.map(({ last = 0 }) => last)) || undefined };
  }

  granted(result: Granted): void {
    this.phase = 'live';
    this.view = result.view;
    this.#wasLive = true;
    this.backoff.reset();
    for (const member of this.#asked) this.#wishes.delete(member);
    for (const start of this.isPattern ? (result.topics ?? []) : [result]) this.#begin(start);
    for (const member of this.members) member.enter('live');
  }

  /** Whether a subscription that begins at `start` would leave a hole after what was seen. */
  wouldSkip(start: Position): boolean {
    const position = this.#positions.get(this.topic);
    return (
      position !== undefined &&
      (position.epoch || start.epoch) === start.epoch &&
      start.offset > position.offset
    );
  }

  refused(error: ClientError): void {
    this.phase = 'off';
    for (const member of this.members) member.refuse(error);
  }

  /** The view is gone, with the connection or by our own doing; positions stay. */
  detached(): void {
    this.phase = 'needed';
    for (const member of this.members) member.enter('pending');
  }

  /**
   * Answers how many publications were new; `undefined` when something is missing before or in the batch:
   * then recover.
   */
  batch(batch: ServerKinds['batch']): number | undefined {
    const topic = batch.topic ?? this.topic;
    const position = this.#positionFor(topic, batch);
    const verdict = judge(position, batch);
    if (verdict.kind === 'skip') return 0;
    if (verdict.kind !== 'accept') return undefined;
    const publications = batch.compressed ? this.#port.expand(batch) : batch.publications;
    if (!publications) return undefined;
    const { epoch } = verdict.position;
    const fresh = publications
      .filter(({ offset }) => offset > verdict.from && !this.#port.isOwn({ topic, epoch, offset }))
      .map((publication) => new ReceivedPublication(topic, publication));
    this.#positions.set(topic, verdict.position);
    this.#accept(topic, fresh, verdict.position);
    return fresh.length;
  }

  snapshot(frame: ServerKinds['snapshot']): void {
    const { topic, epoch, offset } = frame;
    const publications = frame.publications.map((publication) => new ReceivedPublication(topic, publication));
    const map = this.#learn(topic, 'state') as LiveMap;
    if (!map.page(publications, frame)) return;
    this.#incomplete.delete(topic);
    this.#positions.set(topic, { epoch, offset });
    for (const member of this.members) {
      member.stand({ topic, epoch, offset });
      member.tell('snapshot', map.entries, { topic, epoch, offset });
      this.#tellMap(member, map, topic);
    }
  }

  /**
   * Also the birth of a state topic in a pattern. Its own epoch is no news. Answers false when values of the
   * new epoch may exist that this side doesn't hold: then ask for a snapshot.
   */
  reset({ topic, epoch, offset, mode }: Omit<ServerKinds['reset'], 'view'>): boolean {
    if (this.#positions.get(topic)?.epoch === epoch) return true;
    this.#learn(topic, mode);
    this.#positions.set(topic, { epoch, offset });
    for (const member of this.members) member.reset({ topic, epoch, offset });
    if (mode === 'stream') return true;
    this.#forget(topic);
    if (offset === 0) this.#incomplete.delete(topic);
    else this.#incomplete.add(topic);
    return offset === 0;
  }

  lagging(): void {
    for (const member of this.members) {
      member.enter('lagging');
      member.tell('lagging');
    }
  }

  /**
   * With `recovered: false` it names what is gone, and more of the catch-up follows; otherwise live batches
   * do.
   */
  caughtUp({ topic, epoch, offset, recovered, missing }: ServerKinds['caughtUp']): void {
    if (recovered) {
      for (const member of this.members) {
        member.enter('live');
        member.tell('caughtUp', { topic, epoch, offset });
      }
      return;
    }
    if (offset > (this.#positions.get(topic)?.offset ?? 0)) this.#positions.set(topic, { epoch, offset });
    for (const member of this.members) {
      if (missing) member.lost(topic, epoch, missing);
      member.stand({ topic, epoch, offset: Math.max(offset, member.floor(topic, epoch)) });
    }
  }

  mapOf(topic: string): StateMap {
    return this.#maps.get(topic)?.entries ?? noEntries;
  }

  #wantsPresence(): boolean {
    return [...this.members].some(({ options }) => options.presence);
  }

  // -- inside -----------------------------------------------------------------------------------------

  #begin(start: TopicStart): void {
    const { topic, epoch, offset, mode } = start;
    const asked = this.#starts.find((position) => position.topic === topic);
    const continues =
      start.recovered === true && asked?.offset === offset && (asked.epoch || epoch) === epoch;
    this.#learn(topic, mode);
    this.#positions.set(topic, { epoch, offset });
    if (mode === 'state' && !continues) this.#beginState(start, asked !== undefined);
    for (const member of this.members) member.begin(start);
  }

  /**
   * A snapshot follows, and until it is complete the position only serves to judge batches. After offset 0,
   * and of a topic that a pattern wasn't asked for, everything from the first publication may follow instead:
   * on an empty map.
   */
  #beginState({ topic, offset }: TopicStart, wasAskedFor: boolean): void {
    if (offset === 0) this.#incomplete.delete(topic);
    else this.#incomplete.add(topic);
    if (offset === 0 || (this.isPattern && !wasAskedFor)) this.#forget(topic);
  }

  /**
   * Without any position the gateway would take a pattern for new, and topics born meanwhile would begin at
   * their end.
   */
  #patternStarts(): readonly TopicPosition[] {
    if (this.#starts.length > 0) return this.#starts;
    return [{ topic: this.topic.slice(0, -1) || 'any', epoch: '', offset: 0 }];
  }

  /** A live state topic shows the newcomer its map; otherwise `last` and an older `since` take going back. */
  #mustServe({ options: { since, last } }: Subscription): boolean {
    if (this.#wasLive && this.#maps.has(this.topic)) return false;
    if (!since) return (last ?? 0) > 0;
    return startingPoints(this.topic, this.#positions.list(), [{ since }]).some(
      ({ topic, offset }) => offset !== this.#positions.get(topic)?.offset,
    );
  }

  /**
   * A topic of a pattern that was born later begins with its first batch; one with another epoch begins anew.
   */
  #positionFor(topic: string, batch: ServerKinds['batch']): Position {
    const position = this.#positions.get(topic);
    if (!position) return { epoch: batch.epoch ?? '', offset: batch.after };
    if (batch.epoch === undefined || batch.epoch === position.epoch) return position;
    this.reset({ topic, epoch: batch.epoch, offset: 0, mode: this.#maps.has(topic) ? 'state' : 'stream' });
    return { epoch: batch.epoch, offset: 0 };
  }

  #accept(topic: string, publications: readonly ReceivedPublication[], { epoch, offset }: Position): void {
    const map = this.#maps.get(topic);
    map?.apply(publications.map((one) => one.copy()));
    for (const member of this.members) {
      member.deliver(publications, { topic, epoch, offset }, this.view);
      if (map && publications.length > 0) this.#tellMap(member, map, topic);
    }
  }

  /** Which mode it has: a state topic has a map from now on. */
  #learn(topic: string, mode: Mode): LiveMap | undefined {
    if (mode === 'stream') {
      this.#forget(topic);
      this.#maps.delete(topic);
      this.#incomplete.delete(topic);
    } else if (!this.#maps.has(topic)) {
      this.#maps.set(topic, new LiveMap());
    }
    return this.#maps.get(topic);
  }

  #forget(topic: string): void {
    const map = this.#maps.get(topic);
    const wasEmpty = map?.size === 0;
    map?.clear();
    if (!map || wasEmpty) return;
    for (const member of this.members) this.#tellMap(member, map, topic);
  }

  /** A map that was not handed out needn't be copied at the next change. */
  #tellMap(member: Subscription, map: LiveMap, topic: string): void {
    if (member.hears('map')) member.tell('map', map.entries, topic);
  }
}
