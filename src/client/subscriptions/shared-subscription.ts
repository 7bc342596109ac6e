import { subscriptionKey } from '../../protocol/equal-subscriptions.ts';
import type {
  Granted,
  Mode,
  Position,
  ServerKinds,
  TopicPosition,
  Subscription as WireSubscription,
} from '../../protocol/frames.ts';
import type { ClientError } from '../client-error.ts';
import { Backoff } from '../connection/backoff.ts';
import { ReceivedPublication } from '../publication.ts';
import { LiveMap } from './live-map.ts';
import { judge, Positions } from './positions.ts';
import { RecentTopics } from './recent-topics.ts';
import { beginning, startingPoints } from './starting-point.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { StateMap, Subscription, TopicStart } from './subscription.ts';

/** What a shared subscription needs from its surroundings. */
export interface SharedPort {
  random(): number;
  /** On a clock that doesn't jump. */
  monotonicMs(): number;
  /** The publications of a batch, plain; `undefined` when its compressed body doesn't check. */
  expand(batch: ServerKinds['batch']): ServerKinds['batch']['publications'] | undefined;
  /** Whether this client published it, and doesn't want it back. */
  isOwn(position: TopicPosition): boolean;
}

const noEntries: StateMap = new Map();

/** Of a pattern: more are forgotten when they have been quiet. */
const topicsRemembered = 10_000;
/** Longer than the gateway keeps anything back that it has not covered yet. */
const quietMs = 60_000;

function namespaceOf(topic: string): string {
  const colon = topic.indexOf(':');
  return colon === -1 ? topic : topic.slice(0, colon);
}

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
  readonly #unserved = new Set<Subscription>();
  #asked: readonly Subscription[] = [];
  /** The positions that were asked for last. */
  #starts: readonly TopicPosition[] = [];
  /** A pattern's cursor that was asked for last. */
  #askedCursor: string | undefined;
  /** The newest that the gateway gave: everything up to there has come, or was named as lost. */
  #cursor: string | undefined;
  /** A pattern's topic of which something is missing that `#cursor` may count as received. */
  #suspect: string | undefined;
  /** A pattern that continues by cursor: what is lost is named until it is caught up. */
  #continues: 'no' | 'without loss' | 'with loss' = 'no';
  /** A pattern's. */
  readonly #recent = new RecentTopics();
  /** Namespaces of forgotten state topics, whose maps were empty. */
  readonly #stateNamespaces = new Set<string>();
  readonly #port: SharedPort;

  constructor(topic: string, options: SubscribeOptions, port: SharedPort) {
    this.topic = topic;
    this.options = options;
    this.text = subscriptionKey({ topic, ...options });
    this.backoff = new Backoff({}, () => port.random());
    this.#port = port;
  }

  get isPattern(): boolean {
    return this.topic.endsWith('*');
  }

  /** Adds a member. Answers whether the wire has to go back to serve its `since` or `last`. */
  join(member: Subscription): boolean {
    this.members.add(member);
    if (this.#mustServe(member)) this.#unserved.add(member);
    else for (const position of this.#positions.list()) member.stand(position);
    if (this.phase === 'live') member.enter('live');
    return this.phase === 'live' && this.mustAskAgain;
  }

  leave(member: Subscription): void {
    this.members.delete(member);
    this.#unserved.delete(member);
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
    return this.#unserved.size > 0 || (this.#wantsPresence() && !this.#hasPresence);
  }

  /** What to ask the gateway for, now. */
  ask(): WireSubscription {
    this.phase = 'asked';
    const { filter, intervalMs, conflate } = this.options;
    this.#hasPresence = this.#wantsPresence();
    const presence = this.#hasPresence || undefined;
    const selection = { topic: this.topic, filter, intervalMs, conflate, presence };
    const known = this.#positions.list().filter(({ topic }) => !this.#incomplete.has(topic));
    const at = {
      topic: this.topic,
      known,
      cursor: this.#cursor,
      suspect: this.#suspect,
      wasLive: this.#wasLive,
    };
    const unserved = [...this.#unserved];
    const { wire, starts } = beginning(
      at,
      unserved.map(({ options }) => options),
    );
    this.#starts = starts;
    this.#askedCursor = this.isPattern ? wire.cursor : undefined;
    // One cursor at a time: members that want another one are served after this one.
    const wantsOther = ({ options: { cursor } }: Subscription) =>
      cursor !== undefined && cursor !== wire.cursor;
    this.#asked = this.isPattern ? unserved.filter((member) => !wantsOther(member)) : unserved;
    return { ...selection, ...wire };
  }

  granted(result: Granted): void {
    this.phase = 'live';
    this.view = result.view;
    this.#wasLive = true;
    this.backoff.reset();
    for (const member of this.#asked) this.#unserved.delete(member);
    if (this.#askedCursor !== undefined) this.#continued(result, this.#askedCursor);
    // What one topic's older cursor says stays true.
    this.#cursor = result.cursor ?? this.#askedCursor ?? (this.isPattern ? undefined : this.#cursor);
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
    if (verdict.kind === 'skip') {
      this.#advance(batch.cursor);
      return 0;
    }
    if (verdict.kind !== 'accept') {
      this.#suspect = topic;
      return undefined;
    }
    const publications = batch.compressed ? this.#port.expand(batch) : batch.publications;
    if (!publications) {
      this.#suspect = topic;
      return undefined;
    }
    const { epoch } = verdict.position;
    const fresh = publications
      .filter(({ offset }) => offset > verdict.from && !this.#port.isOwn({ topic, epoch, offset }))
      .map((publication) => new ReceivedPublication(topic, publication));
    this.#set(topic, verdict.position);
    this.#accept(topic, fresh, verdict.position);
    this.#advance(batch.cursor);
    return fresh.length;
  }

  snapshot(frame: ServerKinds['snapshot']): void {
    const { topic, epoch, offset } = frame;
    const publications = frame.publications.map((publication) => new ReceivedPublication(topic, publication));
    const map = this.#learn(topic, 'state') as LiveMap;
    if (!map.page(publications, frame)) return;
    this.#incomplete.delete(topic);
    this.#set(topic, { epoch, offset });
    for (const member of this.members) {
      member.stand({ topic, epoch, offset });
      member.tell('snapshot', map.entries, { topic, epoch, offset });
      this.#tellMap(member, map, topic);
    }
  }

  /** Also the birth of a state topic in a pattern. What it stands in already is no news. A map is empty until a snapshot comes. */
  reset({ topic, epoch, offset, mode }: Omit<ServerKinds['reset'], 'view'>): void {
    const previous = this.#positions.get(topic)?.epoch;
    if (previous === epoch) return;
    if (previous) this.#noteLoss();
    this.#learn(topic, mode);
    this.#set(topic, { epoch, offset });
    for (const member of this.members) member.reset({ topic, epoch, offset });
    this.#forget(topic);
    this.#incomplete.delete(topic);
  }

  lagging(): void {
    for (const member of this.members) {
      member.enter('lagging');
      member.tell('lagging');
    }
  }

  /** With `recovered: false` it names what is gone, and more of the catch-up follows; otherwise live batches do. */
  caughtUp(frame: ServerKinds['caughtUp']): void {
    if (frame.recovered) this.#level(frame);
    else this.#lost(frame);
  }

  /** Where a member may continue another day. */
  cursorOf(member: Subscription): string | undefined {
    return this.#unserved.has(member) ? member.options.cursor : this.#cursor;
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
    this.#set(topic, { epoch, offset });
    if (mode === 'state' && start.recovered === false) this.#forget(topic);
    else if (mode === 'state' && !continues) this.#beginState(start, asked !== undefined);
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

  /** The answer to a pattern's cursor. What was missed follows, and what is lost of it is named, topic by topic. */
  #continued(result: Granted, asked: string): void {
    // Where a member wanted to go back to is before the positions of the others, who drop what they had.
    if (this.#asked.some(({ options }) => options.cursor === asked)) this.#positions.clear();
    if (result.recovered === true) {
      this.#continues = 'without loss';
      if (result.cursor !== undefined) this.#endContinuation();
      return;
    }
    this.#continues = 'with loss';
    for (const member of this.members) if (member.hasBegun) member.lostSomething(this.topic, '');
  }

  #endContinuation(): void {
    const nothingLost = this.#continues === 'without loss';
    this.#continues = 'no';
    if (!nothingLost) return;
    const at = { topic: this.topic, epoch: '', offset: 0 };
    for (const member of this.members) if (member.hasBegun) member.tell('recovered', at);
  }

  #level({ topic, epoch, offset, cursor }: ServerKinds['caughtUp']): void {
    this.#advance(cursor);
    this.#endContinuation();
    for (const member of this.members) {
      if (member.state !== 'lagging') continue;
      member.enter('live');
      member.tell('caughtUp', { topic, epoch, offset });
    }
  }

  /** Also of a topic that is gone, or that was born while this client was away. */
  #lost({ topic, epoch, offset, missing }: ServerKinds['caughtUp']): void {
    const position = this.#positions.get(topic);
    if (position?.epoch !== epoch) {
      this.reset({ topic, epoch, offset: missing?.after ?? offset, mode: 'stream' });
    }
    if (position?.epoch !== epoch || offset > position.offset) this.#set(topic, { epoch, offset });
    for (const member of this.members) {
      if (missing && member.lost(topic, epoch, missing)) this.#noteLoss();
      member.stand({ topic, epoch, offset: Math.max(offset, member.floor(topic, epoch)) });
    }
  }

  #noteLoss(): void {
    if (this.#continues === 'without loss') this.#continues = 'with loss';
  }

  #set(topic: string, position: Position): void {
    this.#positions.set(topic, position);
    if (this.isPattern) this.#recent.heard(topic, this.#port.monotonicMs());
  }

  /** Everything up to this cursor has come. What came long before it needs no position any more: it will not come again. */
  #advance(cursor: string | undefined): void {
    if (cursor === undefined) return;
    this.#cursor = cursor;
    this.#suspect = undefined;
    if (this.#recent.size <= topicsRemembered) return;
    const nowMs = this.#port.monotonicMs();
    const mayForget = (topic: string) => (this.#maps.get(topic)?.entries.size ?? 0) === 0;
    const sinceMs = nowMs - quietMs - 2 * (this.options.intervalMs ?? 0);
    for (const topic of this.#recent.forget(topicsRemembered, sinceMs, nowMs, mayForget)) {
      if (this.#maps.delete(topic)) this.#stateNamespaces.add(namespaceOf(topic));
      this.#incomplete.delete(topic);
      this.#positions.delete(topic);
      for (const member of this.members) member.forget(topic);
    }
  }

  /** A live state topic shows the newcomer its map; otherwise `last` and an older `since` or `cursor` take going back. */
  #mustServe({ options: { since, last, cursor } }: Subscription): boolean {
    if (this.isPattern && cursor !== undefined) return cursor !== this.#cursor;
    if (this.#wasLive && this.#maps.has(this.topic)) return false;
    if (!since) return (last ?? 0) > 0;
    return startingPoints(this.topic, this.#positions.list(), [{ since }]).some(
      ({ topic, offset }) => offset !== this.#positions.get(topic)?.offset,
    );
  }

  /** A topic of a pattern that is not known begins with its first batch; one with another epoch begins anew. */
  #positionFor(topic: string, { epoch, after }: ServerKinds['batch']): Position {
    const position = this.#positions.get(topic);
    if (position && (epoch === undefined || epoch === position.epoch)) return position;
    const start = { epoch: epoch ?? '', offset: after };
    if (position) {
      this.reset({ topic, epoch: start.epoch, offset: 0, mode: this.#maps.has(topic) ? 'state' : 'stream' });
      const missing = { after: 0, upto: after };
      for (const member of this.members) {
        member.lost(topic, start.epoch, missing);
        member.stand({ topic, ...start });
      }
    } else if (this.isPattern && this.#stateNamespaces.has(namespaceOf(topic))) {
      this.#learn(topic, 'state');
    }
    return start;
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
