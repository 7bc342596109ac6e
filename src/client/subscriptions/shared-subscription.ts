import { keysText, subscriptionKey } from '../../protocol/equal-subscriptions.ts';
import type {
  Granted,
  Mode,
  Position,
  Publication,
  TopicPosition,
  Subscription as WireSubscription,
} from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import type { ClientError } from '../client-error.ts';
import { Backoff } from '../connection/backoff.ts';
import { ReceivedPublication } from '../publication.ts';
import { Continuation } from './continuation.ts';
import { KnownTopics } from './known-topics.ts';
import type { LiveMap } from './live-map.ts';
import { judge } from './positions.ts';
import { StartRequest } from './start-request.ts';
import { startingPoints } from './starting-point.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { LocalSubscription, StateMap, TopicStart } from './subscription.ts';

/** What a shared subscription needs from its surroundings. */
export interface SharedPort {
  random(): number;
  /** On a clock that doesn't jump. */
  monotonicMs(): number;
  /** The publications of a batch, plain; `undefined` when its compressed body doesn't check. */
  expand(batch: ServerKinds['batch']): ServerKinds['batch']['publications'] | undefined;
  /** Whether this client published it, and doesn't want it back. */
  isOwn(position: TopicPosition): boolean;
  /** The application has had everything of this view of an inbox up to this offset. */
  had(view: number, offset: number): void;
}

const noEntries: StateMap = new Map();

const minRecoveryIntervalMs = 1_000;

/**
 * needed → asked → live → needed …: to be asked for; the command is out; batches may come. `off`: refused, ended or put
 * off, perhaps to be asked for later. Each transition is one function named `to…`.
 */
export type WireState = 'needed' | 'asked' | 'live' | 'off';

/** One subscription on the wire and the local ones that share it: what to ask for, positions, live maps, delivery. */
export class SharedSubscription {
  readonly topic: string;
  options: SubscribeOptions;
  /** Equal for equal subscriptions. */
  key: string;
  /** A command for other keys is out. */
  isRekeying = false;
  readonly members = new Set<LocalSubscription>();
  /** Between attempts after a refusal that may pass. */
  readonly backoff: Backoff;
  #state: WireState = 'needed';
  #view = 0;
  #recoveredAtMs = Number.NEGATIVE_INFINITY;
  #wasLive = false;
  #hasPresence = false;
  #isInbox = false;
  /** Of an inbox: publications after this position came when nothing listened. */
  unheardAfter: Position | undefined;
  readonly #topics: KnownTopics;
  readonly #start: StartRequest;
  /** The newest that the gateway gave: everything up to there has come, or was named as lost. */
  #cursor: string | undefined;
  /** A pattern's topic of which something is missing that `#cursor` may count as received. */
  #suspect: string | undefined;
  readonly #continuation = new Continuation();
  /** Those that the gateway was asked for last; undefined: all. */
  #keys: ReadonlySet<string> | undefined;
  /** Those of the view. */
  #viewKeys: ReadonlySet<string> | undefined;
  /** Those whose values have come. */
  #keysHad: ReadonlySet<string> = new Set();
  /** Values of a partial snapshot may be as new as this. */
  #partialUpto = 0;
  readonly #port: SharedPort;

  constructor(topic: string, options: SubscribeOptions, port: SharedPort) {
    this.topic = topic;
    this.options = options;
    this.key = subscriptionKey({ topic, ...options });
    this.#start = new StartRequest(this.isPattern);
    this.#topics = new KnownTopics(this.isPattern, () => port.monotonicMs());
    this.backoff = new Backoff({}, () => port.random());
    this.#port = port;
  }

  get state(): WireState {
    return this.#state;
  }

  /** The number by which the gateway's frames name it while it is live. */
  get view(): number {
    return this.#view;
  }

  get isPattern(): boolean {
    return this.topic.endsWith('*');
  }

  /** Adds a member. Returns whether the wire has to go back to serve its `since` or `last`. */
  join(member: LocalSubscription): boolean {
    this.members.add(member);
    if (this.#mustServe(member)) this.#start.add(member);
    else for (const position of this.#topics.positions()) member.stand(position);
    if (this.#state === 'live') member.enter('live');
    return this.#state === 'live' && this.mustAskAgain;
  }

  leave(member: LocalSubscription): void {
    this.members.delete(member);
    this.#start.delete(member);
  }

  /** A member that came late to a state topic sees at once what the others see. */
  show(member: LocalSubscription): void {
    for (const position of this.#topics.positions()) {
      const map = this.#topics.completeMap(position.topic);
      if (!map) continue;
      member.tell('snapshot', map.entries, position);
      this.#tellMap(member, map, position.topic);
    }
  }

  /** A member joined after the subscribe was sent, and wants more. */
  get mustAskAgain(): boolean {
    return !this.#start.isEmpty || (this.#wantsPresence() && !this.#hasPresence);
  }

  /** Returns what to ask the gateway for. */
  toAsked(): WireSubscription {
    this.#state = 'asked';
    const { filter, intervalMs, conflate } = this.options;
    this.#hasPresence = this.#wantsPresence();
    const presence = this.#hasPresence || undefined;
    const keys = this.#askKeys();
    const selection = { topic: this.topic, filter, intervalMs, conflate, presence, keys };
    const wire = this.#start.ask({
      topic: this.topic,
      known: this.#topics.completePositions(),
      cursor: this.#cursor,
      suspect: this.#suspect,
      hasForgotten: this.#topics.hasForgotten,
      wasLive: this.#wasLive,
    });
    return { ...selection, ...wire };
  }

  /** Asked for, or made by the gateway on its own: granted. */
  toLive(result: Granted): void {
    this.#state = 'live';
    this.#view = result.view;
    const continues = this.#wasLive;
    this.#wasLive = true;
    this.#viewKeys = this.#keys;
    this.#isInbox = result.inbox === true;
    this.backoff.reset();
    this.#start.granted();
    if (this.#start.cursor !== undefined) this.#continued(result);
    // What one topic's older cursor says stays true.
    this.#cursor = result.cursor ?? this.#start.cursor ?? (this.isPattern ? undefined : this.#cursor);
    for (const start of this.isPattern ? (result.topics ?? []) : [result]) this.#begin(start);
    for (const member of this.members) member.enter('live');
    // The connection may have gone before the gateway heard of it.
    if (continues && this.#isInbox && !this.unheardAfter) this.#port.had(result.view, result.offset);
  }

  /** Other keys, once the gateway is asked for them. */
  rekey(options: SubscribeOptions): void {
    this.options = options;
    this.key = subscriptionKey({ topic: this.topic, ...options });
  }

  /** Its keys are others than those that the gateway was asked for. */
  get mustRekey(): boolean {
    const { keys } = this.options;
    return keys !== undefined && keysText(keys) !== keysText(this.#keys ?? []);
  }

  /** Returns the keys to ask the gateway for. Of those that left nothing is told any more. */
  toRekeyed(): readonly string[] {
    this.isRekeying = true;
    return this.#askKeys() ?? [];
  }

  /** Another view takes the place of the one before, and goes on where that was. */
  rekeyed({ view }: Granted): void {
    this.isRekeying = false;
    this.#view = view;
    this.#viewKeys = this.#keys;
  }

  /** Whether a subscription that begins at `start` would leave a hole after what was seen, or repeat some. */
  wouldSkip(start: Position): boolean {
    const position = this.#topics.position(this.topic);
    return (
      position !== undefined &&
      (position.epoch || start.epoch) === start.epoch &&
      start.offset !== position.offset
    );
  }

  /** Refused, ended or put off. With an error the members hear of it. */
  toOff(error?: ClientError): void {
    this.#state = 'off';
    if (error) for (const member of this.members) member.refuse(error);
  }

  /** The view is gone, with the connection or by our own doing. Positions stay. */
  toNeeded(): void {
    this.#state = 'needed';
    this.isRekeying = false;
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

  /**
   * Returns how many publications were new; `undefined` when something is missing before or in the batch:
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
    const publications = verdict.kind === 'accept' ? this.#port.expand(batch) : undefined;
    if (verdict.kind !== 'accept' || !publications) {
      this.#suspect = topic;
      return undefined;
    }
    const { epoch } = verdict.position;
    const fresh = publications
      .filter(({ offset }) => offset > verdict.from && !this.#port.isOwn({ topic, epoch, offset }))
      .filter((each) => this.#isShown(topic, each))
      .map((publication) => new ReceivedPublication(topic, publication));
    this.#topics.setPosition(topic, verdict.position);
    const isHeard = [...this.members].some((member) => member.isHeard());
    this.#accept(topic, fresh, verdict.position);
    if (this.#isInbox && fresh.length > 0) this.#had(position, verdict.position.offset, isHeard);
    this.#advance(batch.cursor);
    return fresh.length;
  }

  snapshot(frame: ServerKinds['snapshot']): void {
    const { topic, epoch, offset } = frame;
    this.#topics.setMode(topic, 'state');
    const map = this.#topics.map(topic) as LiveMap;
    const fresh = frame.publications.map((publication) => new ReceivedPublication(topic, publication));
    const publications = frame.partial && frame.first ? [...map.entries.values(), ...fresh] : fresh;
    if (frame.partial) for (const one of fresh) this.#partialUpto = Math.max(this.#partialUpto, one.offset);
    else this.#partialUpto = 0;
    if (!map.page(publications, frame)) return;
    this.#prune(map);
    this.#complete(topic, true);
    this.#topics.setPosition(topic, { epoch, offset });
    for (const member of this.members) {
      member.stand({ topic, epoch, offset });
      member.tell('snapshot', map.entries, { topic, epoch, offset });
      this.#tellMap(member, map, topic);
    }
  }

  /**
   * Also the birth of a state topic in a pattern. Of a numbering that is known nothing is said. A map is empty until
   * a snapshot comes.
   */
  reset({ topic, epoch, offset, mode }: Omit<ServerKinds['reset'], 'view'>): void {
    const previous = this.#topics.position(topic)?.epoch;
    if (previous === epoch) return;
    if (previous) this.#continuation.noteLoss();
    this.#learn(topic, mode);
    this.#topics.setPosition(topic, { epoch, offset });
    for (const member of this.members) member.reset({ topic, epoch, offset });
    this.#forget(topic);
    this.#complete(topic, true);
  }

  lagging(): void {
    for (const member of this.members) {
      member.enter('lagging');
      member.tell('lagging');
    }
  }

  /** `recovered: false` names what is gone, and the catch-up goes on; otherwise live batches follow. */
  caughtUp(frame: ServerKinds['caughtUp']): void {
    if (frame.recovered) this.#level(frame);
    else this.#lost(frame);
  }

  /** From where a member may continue another day. */
  cursorOf(member: LocalSubscription): string | undefined {
    return this.#start.has(member) ? member.options.cursor : this.#cursor;
  }

  mapOf(topic: string): StateMap {
    return this.#topics.map(topic)?.entries ?? noEntries;
  }

  #wantsPresence(): boolean {
    return [...this.members].some(({ options }) => options.presence);
  }

  // -- inside -----------------------------------------------------------------------------------------

  #begin(start: TopicStart): void {
    const { topic, epoch, offset, mode } = start;
    const asked = this.#start.startOf(topic);
    const continues =
      start.recovered === true && asked?.offset === offset && (asked.epoch || epoch) === epoch;
    this.#learn(topic, mode);
    this.#topics.setPosition(topic, { epoch, offset });
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
    this.#complete(topic, offset === 0);
    if (offset === 0 || (this.isPattern && !wasAskedFor)) this.#forget(topic);
  }

  /** The reply to a pattern's cursor. Missed publications follow, and lost ones are named, topic by topic. */
  #continued(result: Granted): void {
    // A member goes back to before the positions of the others, which skip what they had.
    if (this.#start.goesBack) this.#topics.clearPositions();
    if (result.recovered === true) {
      this.#continuation.begin(true);
      if (result.cursor !== undefined) this.#endContinuation();
      return;
    }
    this.#continuation.begin(false);
    for (const member of this.members) if (member.hasBegun) member.lostSomething(this.topic, '');
  }

  #endContinuation(): void {
    if (!this.#continuation.end()) return;
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
    const position = this.#topics.position(topic);
    if (position?.epoch !== epoch) {
      this.reset({ topic, epoch, offset: missing?.after ?? offset, mode: 'stream' });
    }
    if (position?.epoch !== epoch || offset > position.offset)
      this.#topics.setPosition(topic, { epoch, offset });
    for (const member of this.members) {
      if (missing && member.lost(topic, epoch, missing)) this.#continuation.noteLoss();
      member.stand({ topic, epoch, offset: Math.max(offset, member.floor(topic, epoch)) });
    }
  }

  /** Everything up to this cursor has come. What came long before it will not come again, and needs no position. */
  #advance(cursor: string | undefined): void {
    if (cursor === undefined) return;
    this.#cursor = cursor;
    this.#suspect = undefined;
    for (const topic of this.#topics.forgetQuiet(this.options.intervalMs ?? 0)) {
      for (const member of this.members) member.forget(topic);
    }
  }

  /**
   * A live state topic shows the newcomer its map; otherwise `last` and an older `since` or `cursor` take going back.
   */
  #mustServe({ options: { since, last, cursor } }: LocalSubscription): boolean {
    if (this.isPattern && cursor !== undefined) return cursor !== this.#cursor;
    if (this.#wasLive && this.#topics.map(this.topic)) return false;
    if (!since) return (last ?? 0) > 0;
    return startingPoints(this.topic, this.#topics.positions(), [{ since }]).some(
      ({ topic, offset }) => offset !== this.#topics.position(topic)?.offset,
    );
  }

  /** A topic of a pattern that is not known begins with its first batch; one with another epoch is reset. */
  #positionFor(topic: string, { epoch, after }: ServerKinds['batch']): Position {
    const position = this.#topics.position(topic);
    if (position && (epoch === undefined || epoch === position.epoch)) return position;
    const start = { epoch: epoch ?? '', offset: after };
    if (position) {
      this.reset({ topic, epoch: start.epoch, offset: 0, mode: this.#topics.modeOf(topic) });
      const missing = { after: 0, upto: after };
      for (const member of this.members) {
        member.lost(topic, start.epoch, missing);
        member.stand({ topic, ...start });
      }
    } else if (this.isPattern && this.#topics.isStateNamespace(topic)) {
      this.#learn(topic, 'state');
    }
    return start;
  }

  #accept(topic: string, publications: readonly ReceivedPublication[], { epoch, offset }: Position): void {
    const map = this.#topics.map(topic);
    map?.apply(publications.map((one) => one.copy()));
    for (const member of this.members) {
      member.deliver(publications, { topic, epoch, offset }, this.view);
      if (map && publications.length > 0) this.#tellMap(member, map, topic);
    }
  }

  #had(before: Position, offset: number, isHeard: boolean): void {
    if (!isHeard) this.unheardAfter ??= before;
    else if (!this.unheardAfter) this.#port.had(this.#view, offset);
  }

  #askKeys(): readonly string[] | undefined {
    const { topic } = this;
    const { keys } = this.options;
    if (!keys) return undefined;
    this.#keys = new Set(keys);
    const map = this.#topics.completeMap(topic);
    if (map && this.#prune(map)) for (const member of this.members) this.#tellMap(member, map, topic);
    this.#keysHad = new Set(keys.filter((key) => this.#keysHad.has(key)));
    if (this.#keysHad.size < this.#keys.size) this.#topics.setComplete(topic, false);
    return keys;
  }

  #complete(topic: string, isComplete: boolean): void {
    const { keys } = this.options;
    this.#keysHad = (isComplete && this.#viewKeys) || new Set();
    this.#topics.setComplete(topic, isComplete && (keys?.every((key) => this.#keysHad.has(key)) ?? true));
  }

  /** Not of keys that left, nor older than the value of a partial snapshot. */
  #isShown(topic: string, { key = '', offset }: Publication): boolean {
    if (this.#keys?.has(key) === false) return false;
    if (offset > this.#partialUpto) return true;
    return !((this.#topics.map(topic)?.entries.get(key)?.offset ?? 0) >= offset);
  }

  /** Keeps only its keys. Returns whether there were others. */
  #prune(map: LiveMap): boolean {
    const keys = this.#keys;
    if (!keys) return false;
    const all = [...map.entries.values()];
    const kept = all.filter(({ key = '' }) => keys.has(key));
    return kept.length < all.length && map.page(kept, { first: true, last: true });
  }

  #learn(topic: string, mode: Mode): void {
    if (mode === 'stream') this.#forget(topic);
    this.#topics.setMode(topic, mode);
  }

  #forget(topic: string): void {
    const map = this.#topics.map(topic);
    const wasEmpty = map?.size === 0;
    map?.clear();
    if (!map || wasEmpty) return;
    for (const member of this.members) this.#tellMap(member, map, topic);
  }

  /** A map that was not handed out needn't be copied at the next change. */
  #tellMap(member: LocalSubscription, map: LiveMap, topic: string): void {
    if (member.hears('map')) member.tell('map', map.entries, topic);
  }
}
