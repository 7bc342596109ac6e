import { canonicalFilter } from '../../../protocol/canonical-filter.ts';
import type { Granted, Position, TopicPosition } from '../../../protocol/frames.ts';
import { namespaceOf } from '../../../protocol/namespace.ts';
import type { ReceivedPublication } from '../../publication.ts';
import type { Runtime } from '../../runtime.ts';
import type { FeedTopic } from '../feed.ts';
import { copyOf, LiveMap } from '../live-map.ts';
import type { Member, MemberExtras as Port, Stage } from '../member.ts';
import { positionsMax } from '../positions-max.ts';
import type { StateMap } from '../subscription.ts';
import { beginFeed, placeOf, show } from './feed-frames.ts';

/** If a pattern has more topics, those that have been quiet for `quietMs` are forgotten. */
const topicsRemembered = 10_000;
/** Longer than the gateway holds back anything that its cursor does not cover yet. */
const quietMs = 60_000;
/** More than the topics that come into being between two calls, on average. */
const topicsPerLook = 16;

type Topic = FeedTopic<ReceivedPublication>;

/** What else a subscription keeps if it is a pattern, has keys, or has a start of its own. */
class MemberExtras implements Port {
  stage: Stage | undefined;
  readonly wishes = new Map<string, number>();
  readonly inherited = new Map<string, Topic>();
  /** Namespaces of forgotten state topics, whose maps were empty. */
  readonly #stateNamespaces = new Set<string>();
  /** Keys whose values have come. */
  #keysHad: ReadonlySet<string> = new Set();
  /** When something last came for each topic of a pattern, the oldest first. */
  readonly #heardAtMs = new Map<string, number>();
  readonly #member: Member;
  readonly #runtime: Pick<Runtime, 'monotonicMs'>;

  constructor(member: Member, runtime: Pick<Runtime, 'monotonicMs'>) {
    this.#member = member;
    this.#runtime = runtime;
  }

  // -- where it begins --------------------------------------------------------------------------------

  joins(wireCursor: string | undefined, other: Member | undefined): boolean {
    const { options, isPattern, topic, topics } = this.#member;
    const { since, last = 0, cursor } = options;
    const at = topics.get(topic);
    const there = isPattern ? undefined : other?.topics.get(topic);
    const hasCursor = cursor !== undefined && cursor === wireCursor;
    // Only in one numbering, and of nothing but by the cursor, is it known which position is the earlier.
    const isThere = at?.epoch === there?.epoch && (at?.epoch ? at.offset >= (there?.offset ?? 0) : hasCursor);
    const isApart = isPattern
      ? cursor === undefined
        ? since !== undefined
        : !hasCursor
      : since !== undefined && !there?.map && !isThere;
    const size = other?.topics.size ?? 1;
    const goesBack =
      !since && last > 0 && size > 0 && size <= positionsMax && !there?.map && there?.epoch !== '';
    this.stage = isApart || goesBack ? 'waiting' : undefined;
    if (isApart && other) this.#inherit(other);
    return isApart;
  }

  /** Takes the maps of state topics although it begins earlier than the other member. */
  #inherit(other: Member): void {
    for (const [topic, known] of copiesOf(other)) if (known.map) this.inherited.set(topic, known);
  }

  begins(topic: string, at: Topic, of: number): Topic {
    const { last = 0 } = this.#member.options;
    if (!this.stage || last === 0 || of > positionsMax) return at;
    this.wishes.set(topic, at.offset);
    return { ...at, offset: Math.max(0, at.offset - last), seen: 0 };
  }

  toTurn(isAsked: boolean): void {
    this.stage &&= isAsked ? 'asked' : 'waiting';
  }

  toLevel(isAtEnd: boolean): void {
    if (this.stage === 'asked') this.stage = isAtEnd && this.#goesBack() ? 'waiting' : undefined;
  }

  /** From the end, by its `last`. Returns whether there is a topic to go back in: a state topic sends its map. */
  #goesBack(): boolean {
    const { options, topics: all } = this.#member;
    if (!options.last) return false;
    const topics = [...all].filter(([, { map }]) => map === undefined);
    for (const [topic, at] of topics) this.#member.stand(topic, this.begins(topic, at, all.size));
    return topics.length > 0;
  }

  entries(topic: string): StateMap | undefined {
    return this.inherited.get(topic)?.map?.entries;
  }

  // -- a pattern --------------------------------------------------------------------------------------

  placed(topic: string, at: Topic): Topic {
    if (this.#stateNamespaces.has(namespaceOf(topic))) at.map ??= new LiveMap();
    return at;
  }

  hears(topic: string, at: Topic): Topic {
    if (!this.#member.isPattern) return at;
    this.#heard(topic);
    const map = this.inherited.get(topic)?.map;
    this.inherited.delete(topic);
    return map && !at.map ? { ...at, map } : at;
  }

  #heard(topic: string): void {
    this.#heardAtMs.delete(topic);
    this.#heardAtMs.set(topic, this.#runtime.monotonicMs());
  }

  forgetQuiet(): void {
    const { topics, options } = this.#member;
    const sinceMs = this.#runtime.monotonicMs() - quietMs - 2 * (options.intervalMs ?? 0);
    let looked = 0;
    for (const [topic, atMs] of this.#heardAtMs) {
      if (topics.size <= topicsRemembered || atMs >= sinceMs || ++looked > topicsPerLook) return;
      const map = topics.get(topic)?.map;
      if (map?.own.size) this.#heard(topic);
      else {
        this.#heardAtMs.delete(topic);
        topics.delete(topic);
        if (map) this.#stateNamespaces.add(namespaceOf(topic));
      }
    }
  }

  // -- keys -------------------------------------------------------------------------------------------

  completes(known: Topic, isComplete: boolean): boolean {
    const { options, wire } = this.#member;
    this.#keysHad = (isComplete && wire?.extras?.keyed?.inView) || new Set();
    if (isComplete) this.#prune(known);
    return isComplete && (options.keys?.every((key) => this.#keysHad.has(key)) ?? true);
  }

  wants(keys: ReadonlySet<string>): void {
    const { topic, topics } = this.#member;
    const known = topics.get(topic);
    if (known && !known.awaitsSnapshot && this.#prune(known)) this.#member.tellMap(topic, known.map);
    this.#keysHad = new Set([...keys].filter((key) => this.#keysHad.has(key)));
    if (known && this.#keysHad.size < keys.size) this.#member.stand(topic, known).awaitsSnapshot = true;
  }

  /** Removes the values of other keys. Returns whether there were any. */
  #prune({ map }: Topic): boolean {
    const keys = this.#member.wire?.extras?.keyed?.asked;
    if (!keys || !map) return false;
    const all = [...map.entries.values()];
    const kept = all.filter(({ key = '' }) => keys.has(key));
    return kept.length < all.length && map.page(kept, { first: true, last: true });
  }
}

/** Gives a member its extras. `since`: where it starts, in place of its own start. Equal filters are written alike. */
export function extend(member: Member, runtime: Runtime, since?: Position): void {
  const { options } = member;
  const { filter } = options;
  member.options = {
    ...options,
    ...(since && { since }),
    ...(filter && { filter: canonicalFilter(filter) }),
  };
  member.extras ??= new MemberExtras(member, runtime);
}

/** A member has joined its wire: continues where the other one is, unless it begins at its own start. */
export function join(member: Member, other: Member | undefined): void {
  const { extras, wire } = member;
  if (extras?.joins(wire?.cursor, other) || !other) return;
  for (const [topic, known] of copiesOf(other))
    member.stand(topic, extras?.begins(topic, known, other.topics.size) ?? known);
}

/** What a member knows, for one that continues from there. */
function copiesOf({ topics }: Member): [topic: string, known: Topic][] {
  return [...topics].map(([topic, { epoch, offset, awaitsSnapshot, map }]) => [
    topic,
    { epoch, offset, awaitsSnapshot, map: map && copyOf(map) },
  ]);
}

/** As `begin` of the member. */
export function begin(
  member: Member,
  granted: Granted,
  starts: readonly TopicPosition[],
  byCursor: boolean,
): void {
  beginFeed(member, granted, starts, byCursor);
  member.extras?.wishes.clear();
}

/** As `place` of the member. */
export function place(member: Member, topic: string, batch: Parameters<Member['place']>[1]): Topic {
  const at = placeOf(member, topic, batch);
  return member.extras?.placed(topic, at) ?? at;
}

/** Emits the state topics that other members have already, for one that joins later. */
export function showAll(member: Member): void {
  for (const [topic, { epoch, offset, map, awaitsSnapshot }] of [
    ...member.topics,
    ...(member.extras?.inherited ?? []),
  ])
    if (map && !awaitsSnapshot) show(member, { topic, epoch, offset }, map);
}
