import type {
  Granted,
  Mode,
  Position,
  ServerKinds,
  Subscription as WireSubscription,
} from '../protocol/frames.ts';
import { Backoff } from './backoff.ts';
import type { ClientError } from './client-error.ts';
import { LiveMap } from './live-map.ts';
import { judge, Positions } from './positions.ts';
import { ReceivedPublication } from './received.ts';
import type { TimerHandle } from './runtime.ts';
import { startingPoints } from './starting-point.ts';
import type { StateMap, SubscribeOptions, Subscription, TopicStart } from './subscription.ts';

/** The publications of a batch, plain; `undefined` when its compressed body doesn't check. */
export type Expand = (batch: ServerKinds['batch']) => ServerKinds['batch']['publications'] | undefined;

const noEntries: StateMap = new Map();

/**
 * One subscription on the wire and the local ones that share it: positions, live maps, delivery.
 * needed: to be asked for; asked: the command is out; live: batches may come; off: refused or ended, see `retryTimer`.
 */
export class SharedSubscription {
  readonly topic: string;
  readonly options: SubscribeOptions;
  readonly members = new Set<Subscription>();
  phase: 'needed' | 'asked' | 'live' | 'off' = 'needed';
  view = 0;
  /** Between attempts after a refusal that may pass. */
  readonly backoff: Backoff;
  retryTimer: TimerHandle | undefined;
  recoveredAtMs = Number.NEGATIVE_INFINITY;
  #mode: Mode = 'stream';
  #wasLive = false;
  #hasPresence = false;
  readonly #positions = new Positions();
  readonly #maps = new Map<string, LiveMap>();
  /** State topics whose snapshot isn't complete: their position doesn't count, a new snapshot is needed. */
  readonly #incomplete = new Set<string>();
  /** Members whose `since` or `last` the gateway hasn't granted yet, and those of them that it was asked for. */
  readonly #wishes = new Set<Subscription>();
  #asked: readonly Subscription[] = [];

  constructor(topic: string, options: SubscribeOptions, random: () => number) {
    this.topic = topic;
    this.options = options;
    this.backoff = new Backoff({}, random);
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
      member.tell('map', map.entries, position.topic);
    }
  }

  /** Somebody joined after what was asked was asked, and wants more. */
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
    const positions = startingPoints(this.topic, known, wishes);
    const [first] = positions;
    if (!first) return { ...wish, last: Math.max(0, ...wishes.map(({ last = 0 }) => last)) || undefined };
    return this.isPattern
      ? { ...wish, positions }
      : { ...wish, since: { epoch: first.epoch, offset: first.offset } };
  }

  granted(result: Granted): void {
    this.phase = 'live';
    this.view = result.view;
    this.#mode = result.mode;
    this.#wasLive = true;
    this.backoff.reset();
    for (const member of this.#asked) this.#wishes.delete(member);
    for (const start of this.isPattern ? (result.topics ?? []) : [result]) this.#begin(start);
    for (const member of this.members) member.enter('live');
  }

  /** Whether a subscription that begins at `start` would leave a hole behind what was seen. */
  wouldSkip(start: Position): boolean {
    const position = this.#positions.get(this.topic);
    return position !== undefined && position.epoch === start.epoch && start.offset > position.offset;
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

  /** Answers how many publications were new; `undefined` when something is missing before or in the batch: then recover. */
  batch(batch: ServerKinds['batch'], expand: Expand): number | undefined {
    const topic = batch.topic ?? this.topic;
    const position = this.#positionFor(topic, batch);
    const verdict = judge(position, batch);
    if (verdict.kind === 'skip') return 0;
    if (verdict.kind !== 'accept') return undefined;
    const publications = batch.compressed ? expand(batch) : batch.publications;
    if (!publications) return undefined;
    const fresh = publications
      .filter(({ offset }) => offset > verdict.from)
      .map((publication) => new ReceivedPublication(topic, publication));
    this.#positions.set(topic, verdict.position);
    this.#accept(topic, fresh, verdict.position);
    return fresh.length;
  }

  snapshot(frame: ServerKinds['snapshot']): void {
    const { topic, epoch, offset } = frame;
    const publications = frame.publications.map((publication) => new ReceivedPublication(topic, publication));
    const map = this.#map(topic);
    if (!map.page(publications, frame)) return;
    this.#incomplete.delete(topic);
    this.#positions.set(topic, { epoch, offset });
    for (const member of this.members) {
      member.stand({ topic, epoch, offset });
      member.tell('snapshot', map.entries, { topic, epoch, offset });
      member.tell('map', map.entries, topic);
    }
  }

  reset({ topic, epoch, offset }: ServerKinds['reset']): void {
    const previous = this.#positions.get(topic);
    this.#positions.set(topic, { epoch, offset });
    if (this.#mode === 'state' && previous?.epoch !== epoch) this.#forget(topic);
    for (const member of this.members) member.reset({ topic, epoch, offset });
  }

  lagging(): void {
    for (const member of this.members) {
      member.enter('lagging');
      member.tell('lagging');
    }
  }

  caughtUp(frame: ServerKinds['caughtUp']): void {
    const { topic, epoch, offset } = frame;
    const { missing } = frame;
    for (const member of this.members) {
      if (!frame.recovered && missing && this.#mode === 'stream') member.lost(topic, epoch, missing);
      member.enter('live');
      member.tell('caughtUp', { topic, epoch, offset });
    }
  }

  mapOf(topic: string): StateMap {
    return this.#maps.get(topic)?.entries ?? noEntries;
  }

  #wantsPresence(): boolean {
    return [...this.members].some(({ options }) => options.presence);
  }

  // -- inside -----------------------------------------------------------------------------------------------------

  #begin(start: TopicStart): void {
    const { topic, epoch, offset } = start;
    // Until the snapshot is complete this position is only good for judging batches.
    if (this.#mode === 'state' && !start.recovered) this.#incomplete.add(topic);
    this.#positions.set(topic, { epoch, offset });
    for (const member of this.members) member.begin(start, this.#mode);
  }

  /** A live state topic shows the newcomer its map; otherwise `last` and an older `since` take going back. */
  #mustServe({ options: { since, last } }: Subscription): boolean {
    if (this.#wasLive && this.#mode === 'state') return false;
    if (!since) return (last ?? 0) > 0;
    return startingPoints(this.topic, this.#positions.list(), [{ since }]).some(
      ({ topic, offset }) => offset !== this.#positions.get(topic)?.offset,
    );
  }

  /** A topic of a pattern that was born later begins with its first batch; one with another epoch begins anew. */
  #positionFor(topic: string, batch: ServerKinds['batch']): Position {
    const position = this.#positions.get(topic);
    if (!position) return { epoch: batch.epoch ?? '', offset: batch.after };
    if (batch.epoch === undefined || batch.epoch === position.epoch) return position;
    this.reset({ view: this.view, topic, epoch: batch.epoch, offset: 0 });
    return { epoch: batch.epoch, offset: 0 };
  }

  #accept(topic: string, publications: readonly ReceivedPublication[], { epoch, offset }: Position): void {
    const map = this.#mode === 'state' ? this.#map(topic) : undefined;
    map?.apply(publications);
    for (const member of this.members) {
      member.deliver(publications, { topic, epoch, offset }, this.view);
      if (map && publications.length > 0) member.tell('map', map.entries, topic);
    }
  }

  #map(topic: string): LiveMap {
    const known = this.#maps.get(topic);
    if (known) return known;
    const map = new LiveMap();
    this.#maps.set(topic, map);
    return map;
  }

  #forget(topic: string): void {
    const map = this.#maps.get(topic);
    if (!map) return;
    map.clear();
    for (const member of this.members) member.tell('map', map.entries, topic);
  }
}
