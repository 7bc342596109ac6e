import type {
  Granted,
  Mode,
  OffsetRange,
  Position,
  Publication,
  TopicResult,
} from '../../src/protocol/frames.ts';
import type { ServerKinds } from '../../src/protocol/server-frames.ts';
import type { StoredPublication } from '../../src/topics/publication.ts';
import { heardOf, isSame, isState, type Model, matches, type Wish } from './model.ts';
import { judge, Positions } from './positions.ts';

/** Who subscribes, now and in earlier sessions. */
export interface Subscriber {
  readonly session: string;
  readonly sessions: ReadonlySet<string>;
  /** Whether it may not get a publication that excepts this session. */
  mayLack(except: string | undefined): boolean;
}

export interface Spec extends Wish {
  readonly target: string;
  readonly intervalMs: number;
}

/** What the gateway had when it answered: its newest commit, and what the ring of the topic no longer held. */
export interface GatewayReach {
  readonly seq: number;
  readonly reach: number;
}

/** Of a topic that its session joins by itself. */
export const anything: GatewayReach = { seq: Number.POSITIVE_INFINITY, reach: Number.POSITIVE_INFINITY };

export function check(holds: unknown, fault: string, ...details: unknown[]): asserts holds {
  if (!holds) throw new Error(`${fault} ${details.map((detail) => JSON.stringify(detail)).join(' ')}`);
}

interface Reading {
  readonly spec: Spec;
  readonly topic: string;
  readonly nowMs: number;
  mayLack(except: string | undefined): boolean;
}

/** Checks that the offsets by key are those of the newest values, and leaves in `map` the keys that have none. */
export function checkValues(
  map: Map<string, number>,
  values: ReadonlyMap<string, StoredPublication>,
  { spec, topic, nowMs, mayLack }: Reading,
): void {
  for (const [key, newest] of values) {
    const held = map.get(key);
    map.delete(key);
    if (mayLack(newest.except)) continue;
    const wanted = newest.removed !== true && matches(spec, newest);
    if (wanted && newest.expiresAtMs <= nowMs && held === undefined) continue;
    check(held === (wanted ? newest.offset : undefined), 'a wrong value', spec, topic, key, held, newest);
  }
}

/**
 * One subscription of a client that follows the rule of delivery, and what it has handed to its application. Compares
 * each thing that it is told with the model.
 */
export class ModelSubscription {
  spec: Spec;
  view: number | undefined;
  wasLive = false;
  /** A pattern's: where it continues. */
  cursor: string | undefined;
  /** What was committed before it joined is not its business. */
  joinedSeq = Number.POSITIVE_INFINITY;
  readonly positions = new Positions();
  /** State: the offset of each key's value, by topic. */
  readonly maps = new Map<string, Map<string, number>>();
  /** State topics that wait for a snapshot. */
  readonly incomplete = new Set<string>();
  readonly #pages = new Map<string, Map<string, number>>();
  readonly #handedOver = new Map<string, Position>();
  /** Topics of a pattern of which a batch has come since its stream was opened. */
  readonly #bridged = new Set<string>();
  readonly #model: Model;
  readonly #who: Subscriber;

  constructor(spec: Spec, model: Model, who: Subscriber) {
    this.spec = spec;
    this.#model = model;
    this.#who = who;
  }

  /** The gateway's answer: batches follow from here. `continues`: what was handed over before stays. */
  begin({ topic, epoch, offset, mode }: TopicResult, continues: boolean): void {
    // A pattern itself has none.
    check(topic.endsWith('*') || mode === modeOf(topic), 'another mode', this.spec, topic, mode);
    if (!continues) this.maps.delete(topic);
    this.incomplete.delete(topic);
    const isEmpty = (this.#model.numbering(topic, epoch)?.start ?? offset) >= offset;
    if (isState(topic) && !continues && !isEmpty) this.incomplete.add(topic);
    this.#pages.delete(topic);
    this.positions.set(topic, { epoch, offset });
  }

  /** It has other keys from here, by another view. */
  changed(spec: Spec, { topic, view, epoch, offset, recovered }: Granted): void {
    const had = new Set(this.spec.keys);
    this.spec = spec;
    this.view = view;
    const position = this.positions.get(topic);
    const continues = recovered === true && position?.epoch === epoch;
    check(!continues || offset <= position.offset, 'a gap between keys', spec, position, offset);
    if (!continues) {
      const start = this.#model.numbering(topic, epoch)?.start ?? offset;
      check(recovered !== true || offset === start, 'not from where it was', spec, position, epoch, offset);
      this.begin({ topic, epoch, offset, mode: modeOf(topic) }, false);
      return;
    }
    // A refresh may have brought newer values than the batches that it was sent.
    this.positions.set(topic, { epoch, offset });
    const map = this.maps.get(topic);
    for (const key of map?.keys() ?? []) if (!spec.keys?.includes(key)) map?.delete(key);
    this.#pages.delete(topic);
    if (spec.keys?.some((key) => !had.has(key))) this.incomplete.add(topic);
  }

  batch(frame: ServerKinds['batch'], nowMs: number): void {
    const topic = frame.topic ?? this.spec.target;
    const position = this.#positionFor(topic, frame);
    const verdict = judge(position, frame);
    check(verdict.kind !== 'gap', 'a gap that was not named', this.spec, topic, position, frame.after);
    check(verdict.kind !== 'epoch', 'an epoch that was not told', this.spec, topic, position, frame.epoch);
    if (verdict.kind !== 'accept') {
      this.#advance(frame.cursor);
      return;
    }
    const { epoch, offset: upto } = verdict.position;
    check(upto <= this.#model.newest(topic, epoch), 'coverage of what was not committed', topic, epoch, upto);
    let last = frame.after;
    for (const { offset } of frame.publications) {
      check(offset > last && offset <= upto, 'offsets out of order', this.spec, topic, last, offset);
      last = offset;
    }
    const got = new Map(frame.publications.map((publication) => [publication.offset, publication]));
    for (const original of this.#model.range(topic, epoch, verdict.from, upto)) {
      const publication = got.get(original.offset);
      if (publication === undefined) this.#excuse(topic, epoch, original, nowMs);
      else this.#accept(topic, publication, original);
    }
    this.positions.set(topic, verdict.position);
    this.#advance(frame.cursor);
  }

  // ---- of a stream, whose client knows its position by a cursor alone

  /** The stream opens where its client was, or for the first time. */
  continued(result: Granted, seen: GatewayReach, nowMs: number): void {
    const isPattern = this.spec.target.endsWith('*');
    const { recovered } = result;
    if (!this.wasLive || recovered === false) this.joinedSeq = seen.seq;
    const isFirst = !this.wasLive;
    this.wasLive = true;
    this.#pages.clear();
    this.#bridged.clear();
    // It is not known what its client has had, and the client knows that; or it had no cursor yet, and begins anew.
    if (recovered !== true) this.#handedOver.clear();
    if (isPattern) {
      for (const topic of result.topics ?? []) this.begin(topic, false);
      return;
    }
    const position = this.positions.get(result.topic);
    if (isFirst || position === undefined || recovered !== true) {
      if (position?.epoch === result.epoch && result.missing !== undefined)
        check(position.offset < seen.reach, 'not lost', this.spec);
      this.begin(result, false);
      return;
    }
    const { topic, epoch, offset } = result;
    const isSameEpoch = position.epoch === epoch;
    check(!isSameEpoch || offset >= position.offset, 'again from before', this.spec, position, offset);
    if (!isSameEpoch) this.maps.delete(topic);
    // Another gateway may still hold what was gone where it joined.
    const fault = this.lacking(topic, { epoch, offset }, nowMs, position.epoch === '' ? this.joinedSeq : 0);
    this.positions.set(topic, { epoch, offset });
    if (fault === undefined) return;
    // Then all values come.
    check(isState(topic), fault, this.spec, topic, position, offset);
    this.incomplete.add(topic);
  }

  /** When a stream was opened anew, its cursor may have covered what its client was not sent, if there is a reason. */
  streamed(frame: ServerKinds['batch'], nowMs: number): void {
    const topic = frame.topic ?? this.spec.target;
    const position = this.positions.get(topic);
    if (position !== undefined && (frame.epoch ?? position.epoch) === position.epoch) {
      const { epoch, offset } = position;
      this.#handOver(topic, epoch, frame);
      if (frame.after > offset && this.spec.target.endsWith('*') && !this.#bridged.has(topic)) {
        const fault = this.lacking(topic, { epoch, offset: frame.after }, nowMs);
        check(fault === undefined, fault ?? '', this.spec, topic, position, frame.after);
        this.positions.set(topic, { epoch, offset: frame.after });
      }
    }
    this.#bridged.add(topic);
    this.batch(frame, nowMs);
  }

  /** To an application that compares no offsets: none may come twice. */
  #handOver(topic: string, epoch: string, { publications }: ServerKinds['batch']): void {
    const newest = this.#handedOver.get(topic);
    const last = publications.at(-1);
    if (last === undefined) return;
    const first = (publications[0] as Publication).offset;
    check(newest?.epoch !== epoch || first > newest.offset, 'twice', this.spec, topic, newest, first);
    this.#handedOver.set(topic, { epoch, offset: last.offset });
  }

  /** Why something up to here should have come; undefined: there is a reason for each that did not. */
  lacking(topic: string, { epoch, offset }: Position, nowMs: number, afterSeq = 0): string | undefined {
    const position = this.positions.get(topic);
    const after = position?.epoch === epoch ? position.offset : 0;
    for (const original of this.#model.range(topic, epoch, after, offset)) {
      if (original.seq <= afterSeq) continue;
      const fault = this.#faultOf(topic, epoch, original, nowMs);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  /** It is told that it missed nothing: then there was nothing for it in other numberings of the topic. */
  checkBefore(
    { topic, epoch, mode }: Granted,
    { since, seq, newest }: { readonly since: Position; readonly seq: number; readonly newest: number },
    nowMs: number,
  ): void {
    if (mode === 'state' || since.epoch === epoch) return;
    for (const numbering of this.#model.numberings(topic)) {
      if (numbering.epoch === epoch || numbering.engine !== this.#model.engines) continue;
      for (const original of heardOf(numbering)) {
        const isHad = numbering.epoch === since.epoch ? original.offset <= since.offset : original.seq <= seq;
        if (!isHad && original.seq <= newest) this.#excuse(topic, numbering.epoch, original, nowMs);
      }
    }
  }

  /** It says that it has everything up to here. */
  #advance(cursor: string | undefined): void {
    if (cursor !== undefined) this.cursor = cursor;
  }

  snapshot(
    { topic, epoch, offset, first, last, partial, publications }: ServerKinds['snapshot'],
    nowMs: number,
  ): void {
    const page = first ? new Map<string, number>() : this.#pages.get(topic);
    check(page !== undefined, 'a snapshot that does not begin', this.spec, topic);
    for (const publication of publications) {
      const original = this.#model.get(topic, epoch, publication.offset);
      check(
        original && isSame(publication, original),
        'a publication that was not published',
        topic,
        publication,
      );
      page.set(publication.key ?? '', publication.offset);
    }
    this.#pages.set(topic, page);
    if (!last) return;
    const position = this.positions.get(topic);
    check(
      this.#model.showsOldValues || position?.epoch !== epoch || position.offset <= offset,
      'a snapshot of the past',
      this.spec,
    );
    this.#pages.delete(topic);
    if (partial) {
      check(position?.epoch === epoch && position.offset === offset, 'values of elsewhere', this.spec);
      const map = this.maps.get(topic) ?? new Map<string, number>();
      for (const [key, newest] of page) map.set(key, Math.max(newest, map.get(key) ?? 0));
      this.maps.set(topic, map);
      this.incomplete.delete(topic);
      return;
    }
    this.maps.set(topic, page);
    this.incomplete.delete(topic);
    this.positions.set(topic, { epoch, offset });
    this.checkMap(topic, nowMs);
  }

  reset({ topic, epoch, offset, mode }: ServerKinds['reset']): void {
    check(mode === modeOf(topic), 'another mode', this.spec, topic, mode);
    // The news of an epoch that it has known since it subscribed.
    if (this.positions.get(topic)?.epoch === epoch) return;
    check(
      this.#mayBegin(topic, epoch, offset),
      'a reset after the first publication',
      ...[this.spec, topic, epoch, offset, this.positions.get(topic)],
    );
    this.maps.delete(topic);
    this.incomplete.delete(topic);
    this.positions.set(topic, { epoch, offset });
  }

  caughtUp(frame: ServerKinds['caughtUp'], reach: number): void {
    const { topic, epoch, offset, recovered, missing, cursor } = frame;
    if (recovered && this.spec.target.endsWith('*')) {
      check(cursor !== undefined, 'a pattern that was caught up without a cursor', this.spec);
      this.#advance(cursor);
      return;
    }
    const isNew = this.spec.target.endsWith('*') && this.positions.get(topic)?.epoch !== epoch;
    if (isNew) this.positions.set(topic, { epoch, offset: this.#model.numbering(topic, epoch)?.start ?? 0 });
    const position = this.positions.get(topic);
    check(position?.epoch === epoch, 'caught up in another epoch', this.spec, topic, position, epoch);
    if (recovered) {
      check(position.offset >= offset, 'caught up without having been sent all', this.spec, position, offset);
    } else {
      check(!isState(topic), 'a loss of state', this.spec, topic);
      check(missing !== undefined && missing.upto === offset, 'a loss without a name', this.spec, offset);
      checkLost(missing, reach, this.spec);
      this.positions.set(topic, { epoch, offset: Math.max(position.offset, offset) });
    }
  }

  /** State: what the application sees is the model's, as of its position. */
  checkMap(topic: string, nowMs: number): void {
    const position = this.positions.get(topic);
    check(position !== undefined && !this.incomplete.has(topic), 'an unfinished snapshot', this.spec, topic);
    const map = new Map(this.maps.get(topic));
    const { sessions } = this.#who;
    const mayLack = (except: string | undefined) => except !== undefined && sessions.has(except);
    checkValues(map, this.#model.newestByKey(topic, position), { spec: this.spec, topic, nowMs, mayLack });
    check(map.size === 0, 'keys that were not published', this.spec, topic, [...map]);
  }

  /** A stream of a pattern that was born later begins with its first batch; state topics are announced. */
  #positionFor(topic: string, { epoch, after }: ServerKinds['batch']) {
    const position = this.positions.get(topic);
    if (position !== undefined && (epoch === undefined || epoch === position.epoch)) return position;
    check(epoch !== undefined, 'a batch without a position', this.spec, topic);
    check(!isState(topic), 'a state topic that was not announced', this.spec, topic);
    check(
      this.#mayBegin(topic, epoch, after),
      'a topic that begins in its middle',
      ...[this.spec, topic, position, epoch, after],
    );
    this.maps.delete(topic);
    this.incomplete.delete(topic);
    this.positions.set(topic, { epoch, offset: after });
    return { epoch, offset: after };
  }

  /** Of a numbering that is new to it: all up to there was committed before it joined, or it had it in the former. */
  #mayBegin(topic: string, epoch: string, offset: number): boolean {
    const numbering = this.#model.numbering(topic, epoch);
    if (numbering === undefined || offset <= numbering.start) return true;
    const position = this.positions.get(topic);
    return this.#model.range(topic, epoch, 0, offset).every((original) => {
      if (original.seq <= this.joinedSeq) return true;
      const had = position && this.#model.inOther(topic, position.epoch, original);
      return had !== undefined && had.offset <= (position?.offset ?? 0);
    });
  }

  #accept(topic: string, publication: Publication, original: StoredPublication): void {
    const key = original.key ?? '';
    const isRemoval = isState(topic) && publication.removed === true && !matches(this.spec, original);
    if (isRemoval) {
      check((publication.key ?? '') === key, 'a removal of another key', topic, publication, original);
    } else {
      check(
        isSame(publication, original),
        'a publication that was not published',
        topic,
        publication,
        original,
      );
      check(matches(this.spec, original), 'a publication that it did not ask for', this.spec, publication);
      // With a filter, every subscriber is told of a removal.
      const isForAll = isState(topic) && this.spec.filter !== undefined && original.removed === true;
      const isOwn = original.except === this.#who.session && !isForAll;
      check(!isOwn, 'its own publication', this.spec, publication);
    }
    if (!isState(topic)) return;
    const map = this.maps.get(topic) ?? new Map<string, number>();
    this.maps.set(topic, map);
    // The value of a partial snapshot may be newer.
    if (this.spec.keys !== undefined && (map.get(key) ?? 0) > publication.offset) return;
    if (publication.removed === true) map.delete(key);
    else map.set(key, publication.offset);
  }

  /** It is covered and didn't come: there must be a reason. */
  #excuse(topic: string, epoch: string, original: StoredPublication, nowMs: number): void {
    const fault = this.#faultOf(topic, epoch, original, nowMs);
    check(fault === undefined, fault ?? '', this.spec, topic, epoch, original);
  }

  /** Why it should have come; undefined: there is a reason that it didn't. */
  #faultOf(topic: string, epoch: string, original: StoredPublication, nowMs: number): string | undefined {
    if (this.#who.mayLack(original.except) || original.expiresAtMs <= nowMs) return undefined;
    const reader = { session: this.#who.session };
    if (this.#model.isSuperseded({ topic, epoch, wish: this.spec, reader }, original)) return undefined;
    const isWanted = matches(this.spec, original);
    if (!isWanted && !isState(topic)) return undefined;
    if (!isWanted || original.removed === true) {
      const isHeld = this.maps.get(topic)?.has(original.key ?? '') === true;
      if (isHeld) return 'a key that was not taken away';
      if (!isWanted) return undefined;
    }
    return 'silently lost';
  }
}

function modeOf(topic: string): Mode {
  return isState(topic) ? 'state' : 'stream';
}

/** Only what the ring no longer holds may be named as lost. */
function checkLost(missing: OffsetRange, reach: number, ...details: unknown[]): void {
  check(missing.after < missing.upto, 'nothing named as lost', missing, ...details);
  check(missing.upto <= reach, 'named as lost, though the ring holds it', missing, reach, ...details);
}
