import type {
  Granted,
  OffsetRange,
  Position,
  TopicPosition,
  TopicResult,
  Subscription as WireSubscription,
} from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import type { ClientError } from '../client-error.ts';
import { Backoff } from '../connection/backoff.ts';
import type { Emitter } from '../emitter.ts';
import type { TimerHandle } from '../runtime.ts';
import { Continuation } from '../subscriptions/continuation.ts';
import { LiveMap } from '../subscriptions/live-map.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import type { Gap, SubscriptionState } from '../subscriptions/subscription.ts';
import type { JsonPublication } from './codec.ts';

export type JsonMap<T = unknown> = ReadonlyMap<string, JsonPublication<T>>;

/** What they mean: see `SubscriptionEvents` of the full client. */
export interface JsonSubscriptionEvents<T> {
  publication: [publication: JsonPublication<T>];
  map: [entries: JsonMap<T>, topic: string];
  gap: [gap: Gap];
  recovered: [at: TopicPosition];
  reset: [at: TopicPosition, previous: Position];
  state: [state: SubscriptionState];
}

export type FeedOptions = Omit<SubscribeOptions, 'presence' | 'keys'>;

/** What is known of a topic. */
interface Known extends Position {
  /** Of a state topic, from when it is known to be one. */
  map?: LiveMap<JsonPublication>;
  /** A snapshot is to come: the position only serves to judge batches. */
  awaitsSnapshot?: boolean;
}

export const minRecoveryIntervalMs = 1_000;
/** The gateway takes a list of up to this many positions. */
const positionsMax = 1000;

/**
 * One subscription on the wire, for all that hold it: positions, live maps, delivery. Delivers each publication at most
 * once, in order, and names what is lost.
 *
 * pending → live ⇄ lagging → pending …; refused; closed at last.
 */
export class Feed {
  readonly topic: string;
  readonly options: FeedOptions;
  readonly isPattern: boolean;
  readonly events: Emitter<JsonSubscriptionEvents<unknown>>;
  readonly backoff: Backoff;
  /** How many hold it. */
  holders = 0;
  /** The number by which frames name it; 0: none. */
  view = 0;
  /** A subscribe command is out. */
  isAsked = false;
  /** It is asked for again when this fires; 0: no timer. */
  retry: TimerHandle = 0;
  state: SubscriptionState = 'pending';
  error: ClientError | undefined;
  recoveredAtMs = -minRecoveryIntervalMs;
  #wasLive = false;
  readonly #topics = new Map<string, Known>();
  #cursor: string | undefined;
  /** The positions and the cursor that were asked for last. */
  #starts: readonly TopicPosition[] = [];
  #askedCursor: string | undefined;
  /** A pattern's topic of which something is missing that the cursor may count as received. */
  #suspect: string | undefined;
  readonly #continuation = new Continuation();

  constructor(
    topic: string,
    options: FeedOptions,
    events: Emitter<JsonSubscriptionEvents<unknown>>,
    random: () => number,
  ) {
    this.topic = topic;
    this.options = options;
    this.isPattern = topic.endsWith('*');
    this.events = events;
    this.backoff = new Backoff({}, random);
    this.#cursor = options.cursor;
    const { since = [] } = options;
    for (const at of 'offset' in since ? [{ topic, ...since }] : since) this.#stand(at.topic, at);
  }

  position(topic: string): Position | undefined {
    const known = this.#topics.get(topic);
    return known && { epoch: known.epoch, offset: known.offset };
  }

  current(topic: string): JsonMap {
    return this.#topics.get(topic)?.map?.entries ?? new Map();
  }

  /** Returns what to ask the gateway for. */
  toAsked(): WireSubscription {
    this.isAsked = true;
    const { topic, isPattern } = this;
    const { filter, intervalMs, conflate, last } = this.options;
    const selection = { topic, filter, intervalMs, conflate };
    const known = [...this.#topics].filter(([, { awaitsSnapshot }]) => !awaitsSnapshot);
    const starts = known.map(([name, { epoch, offset }]) => ({ topic: name, epoch, offset }));
    const cursor = this.#suspect === undefined ? this.#cursor : undefined;
    this.#starts = [];
    this.#askedCursor = isPattern ? cursor : undefined;
    if (this.#askedCursor !== undefined) return { ...selection, cursor };
    if (isPattern && (this.#wasLive || starts.length > 0)) {
      // Of topics that are not listed the gateway sends all that it has.
      starts.sort((a, b) => Number(b.topic === this.#suspect) - Number(a.topic === this.#suspect));
      this.#starts = starts.slice(0, positionsMax);
      const nowhere = { topic: topic.slice(0, -1) || 'any', epoch: '', offset: 0 };
      return { ...selection, positions: starts.length > 0 ? this.#starts : [nowhere] };
    }
    const [start] = starts;
    if (!start) return { ...selection, last };
    this.#starts = starts;
    return { ...selection, since: { epoch: start.epoch, offset: start.offset }, cursor };
  }

  toLive(result: Granted): void {
    this.view = result.view;
    this.isAsked = false;
    this.backoff.reset();
    if (this.#askedCursor !== undefined) this.#continued(result);
    this.#cursor = result.cursor ?? this.#askedCursor ?? (this.isPattern ? undefined : this.#cursor);
    this.#wasLive = true;
    for (const start of this.isPattern ? (result.topics ?? []) : [result]) this.#begin(start);
    this.#enter('live');
  }

  /** The view is gone, or never was. Positions stay. `pending`: it is to be asked for. */
  toOff(state: 'pending' | 'refused' | 'closed', error?: ClientError): void {
    this.view = 0;
    this.isAsked = false;
    this.#enter(state, error);
  }

  // -- frames -----------------------------------------------------------------------------------------

  /** Returns false when something is missing before the batch: then ask again. */
  batch({ topic = this.topic, epoch, after, upto, publications }: ServerKinds['batch']): boolean {
    let at: Known | undefined = this.#topics.get(topic);
    if (!at || (epoch ?? at.epoch) !== at.epoch) {
      const start = { epoch: epoch ?? '', offset: after };
      if (at) {
        this.reset({ topic, epoch: start.epoch, offset: 0, mode: at.map ? 'state' : 'stream' });
        this.#lost(topic, start.epoch, { after: 0, upto: after }, 0);
      }
      at = start;
    }
    const { epoch: own, offset: from } = at;
    if (after > from) {
      this.#suspect = topic;
      return false;
    }
    if (upto <= from) return true;
    const fresh = (publications as unknown as JsonPublication[])
      .filter(({ offset }) => offset > from)
      .map((publication) => ({ ...publication, topic }));
    const map = this.#topics.get(topic)?.map;
    map?.apply(fresh);
    for (const publication of fresh) {
      if (this.state === 'closed') return true;
      this.events.emit('publication', publication);
      this.#stand(topic, { epoch: own, offset: publication.offset });
    }
    this.#stand(topic, { epoch: own, offset: upto });
    if (fresh.length > 0) this.#tellMap(topic, map);
    return true;
  }

  snapshot(frame: ServerKinds['snapshot']): void {
    const { topic, epoch, offset } = frame;
    const publications = frame.publications as unknown as JsonPublication[];
    const known = this.#topics.get(topic) ?? this.#stand(topic, { epoch, offset: 0 });
    known.map ??= new LiveMap();
    if (!known.map.page(publications, frame)) return;
    known.awaitsSnapshot = false;
    this.#stand(topic, { epoch, offset });
    this.#tellMap(topic, known.map);
  }

  /** Also the birth of a state topic in a pattern. */
  reset({ topic, epoch, offset, mode }: Omit<ServerKinds['reset'], 'view'>): void {
    const previous = this.position(topic);
    if (previous?.epoch === epoch) return;
    const known = this.#learn(topic, mode, { epoch, offset });
    known.awaitsSnapshot = false;
    if (previous?.epoch) {
      this.#continuation.noteLoss();
      this.events.emit('reset', { topic, epoch, offset }, previous);
    }
    this.#clearMap(topic);
  }

  lagging(): void {
    this.#enter('lagging');
  }

  /** `recovered: false` names what is gone, and the catch-up goes on; otherwise live batches follow. */
  caughtUp({ topic, epoch, offset, recovered, missing, cursor }: ServerKinds['caughtUp']): void {
    if (!recovered) {
      if (this.position(topic)?.epoch !== epoch)
        this.reset({ topic, epoch, offset: missing?.after ?? offset, mode: 'stream' });
      const from = this.position(topic)?.offset ?? 0;
      if (missing && this.#lost(topic, epoch, missing, from)) this.#continuation.noteLoss();
      if (offset > from) this.#stand(topic, { epoch, offset });
      return;
    }
    if (cursor !== undefined) {
      this.#cursor = cursor;
      this.#suspect = undefined;
    }
    this.#endContinuation();
    if (this.state === 'lagging') this.#enter('live');
  }

  // -- inside -----------------------------------------------------------------------------------------

  #enter(state: SubscriptionState, error?: ClientError): void {
    this.error = error;
    if (state === this.state) return;
    this.state = state;
    this.events.emit('state', state);
  }

  #begin({ topic, epoch, offset, mode, recovered, missing }: TopicResult): void {
    const own = this.position(topic);
    const asked = this.#starts.find((start) => start.topic === topic);
    const continues = recovered === true && asked?.offset === offset && (asked.epoch || epoch) === epoch;
    // What a pattern's start repeats was seen; a position that the topic never reached must not hide what comes.
    const seen = recovered !== false && own?.epoch === epoch ? own.offset : 0;
    const known = this.#learn(topic, mode, { epoch, offset: Math.max(seen, offset) });
    if (mode === 'state' && recovered === false) this.#clearMap(topic);
    else if (mode === 'state' && !continues) {
      known.awaitsSnapshot = offset > 0;
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
  #continued({ recovered = false, cursor }: Granted): void {
    this.#continuation.begin(recovered);
    if (!recovered) this.events.emit('gap', { topic: this.topic, epoch: '' });
    else if (cursor !== undefined) this.#endContinuation();
  }

  #endContinuation(): void {
    const at = { topic: this.topic, epoch: '', offset: 0 };
    if (this.#continuation.end()) this.events.emit('recovered', at);
  }

  /** Names a loss, as far as it was not seen already. Returns whether there was any. */
  #lost(topic: string, epoch: string, missing: OffsetRange, from: number): boolean {
    const after = Math.max(missing.after, from);
    if (after >= missing.upto) return false;
    this.events.emit('gap', { topic, epoch, missing: { after, upto: missing.upto } });
    return true;
  }

  #learn(topic: string, mode: 'state' | 'stream', at: Position): Known {
    if (mode === 'stream') this.#clearMap(topic);
    const known = this.#stand(topic, at);
    if (mode === 'state') known.map ??= new LiveMap();
    else known.map = known.awaitsSnapshot = undefined;
    return known;
  }

  #stand(topic: string, { epoch, offset }: Position): Known {
    const known: Known = Object.assign(this.#topics.get(topic) ?? {}, { epoch, offset });
    this.#topics.set(topic, known);
    return known;
  }

  #clearMap(topic: string): void {
    const map = this.#topics.get(topic)?.map;
    const wasEmpty = map?.size === 0;
    map?.clear();
    if (!wasEmpty) this.#tellMap(topic, map);
  }

  /** A map that was not handed out needn't be copied at the next change. */
  #tellMap(topic: string, map: LiveMap<JsonPublication> | undefined): void {
    if (map && this.events.hears('map')) this.events.emit('map', map.entries, topic);
  }
}
