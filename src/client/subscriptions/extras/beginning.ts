import type { TopicPosition, Subscription as WireSubscription } from '../../../protocol/frames.ts';
import type { Member, Shared, WireExtras } from '../member.ts';
import { positionsMax } from '../positions-max.ts';
import { earlierCursor } from './earlier-cursor.ts';

/** The start of a subscription. */
export interface Beginning {
  /** The members whose start it is; to the others it is an earlier one, or they compare their positions. */
  readonly members: readonly Member[];
  readonly wire: Pick<WireSubscription, 'since' | 'positions' | 'cursor' | 'last'>;
  /** The positions in it. */
  readonly starts: readonly TopicPosition[];
  /** New members want different `last`: the gateway is asked for the end, and each goes back from there. */
  readonly atEnd?: boolean;
}

/**
 * What the gateway is asked for: where the level members continue, if they may lack something, and then one start of
 * the other members after the other. Starts are asked for together only where it is known which is the earlier.
 */
export function beginning(
  wire: Shared,
  extras: Pick<WireExtras, 'isLevel' | 'suspects' | 'wasLive'>,
): Beginning {
  const { isPattern, topic, cursor } = wire;
  const members = turn(wire, extras.isLevel);
  const [first] = members;
  if (!isPattern) {
    const start = startsOf(members).get(topic);
    if (!start) return fresh(members);
    const { at, cursor } = start;
    return { members, starts: [at], wire: { since: { epoch: at.epoch, offset: at.offset }, cursor } };
  }
  // By cursor, if there is one: it is a single text for any number of topics.
  const own = first?.cursor;
  const all = startsOf(members);
  if (own !== undefined && !first?.stage) {
    const starts = listed([...extras.suspects].map((name) => all.get(name)?.at ?? nothingOf(name)));
    return { members, starts, wire: { cursor, ...(starts.length > 0 && { positions: starts }) } };
  }
  if (own !== undefined) {
    const isShared = extras.isLevel && cursor !== undefined;
    return { members, starts: [], wire: { cursor: isShared ? earlierCursor(own, cursor) : own } };
  }
  if (all.size === 0 && !extras.wasLive) return fresh(members);
  // The gateway sends everything that it has of topics that are not listed, and the client skips what it has had.
  // Members that began with the `last` N need of those only what came since. By a cursor a gateway that has restarted
  // can tell what of it is lost.
  const isByLast = cursor !== undefined && members.every(({ options }) => options.last && !options.since);
  const knownPositions = [...all.values()].map(({ at }) => lowest(at, wire.members));
  const starts = listed(isByLast ? [...knownPositions, ...members.flatMap(snapshotsOf)] : knownPositions);
  // Without any position the gateway would take the pattern for a new one, and begin topics that are new at their end.
  const positions = starts.length > 0 ? starts : [nothingOf(topic.slice(0, -1) || 'any')];
  return { members, starts, wire: { cursor: isByLast ? cursor : undefined, positions } };
}

/** The members whose turn it is. */
function turn({ members, isPattern, topic }: Shared, isLevel: boolean): readonly Member[] {
  /** Where this is equal it is known which start is the earlier one, or both are new. */
  const basis = ({ topics, cursor }: Member) =>
    isPattern ? (cursor ?? topics.size > 0) : topics.get(topic)?.epoch || cursor;
  const all = [...members];
  const first = all.find(({ stage }) => Boolean(stage) === isLevel) ?? all[0];
  if (!first) return [];
  const areBoth = ({ stage }: Member) => !(stage || first.stage);
  return all.filter((each) => areBoth(each) || basis(each) === basis(first));
}

/** New members, none of which has a position. */
function fresh(members: readonly Member[]): Beginning {
  const lasts = new Set(members.map(({ stage, options }) => (stage && options.last) || undefined));
  const [last] = lasts;
  return lasts.size > 1
    ? { members, starts: [], wire: {}, atEnd: true }
    : { members, starts: [], wire: { last } };
}

interface Start {
  readonly at: TopicPosition;
  /** Of the member whose position it is. */
  readonly cursor: string | undefined;
}

/** The earliest position of these members in each topic. */
function startsOf(members: readonly Member[]): ReadonlyMap<string, Start> {
  const starts = new Map<string, Start>();
  for (const { topics, cursor } of members)
    for (const [topic, { epoch, offset, awaitsSnapshot }] of topics) {
      const other = starts.get(topic)?.at;
      const isLater = other && !(epoch === other.epoch && offset < other.offset);
      if (!awaitsSnapshot && !isLater) starts.set(topic, { at: { topic, epoch, offset }, cursor });
    }
  return starts;
}

/** Their values have not come yet. */
function snapshotsOf({ topics }: Member): readonly TopicPosition[] {
  return [...topics].flatMap(([topic, { awaitsSnapshot }]) => (awaitsSnapshot ? nothingOf(topic) : []));
}

/**
 * A level member may lack something before this position, which it was not sent yet: in a topic that it has not heard
 * of, everything.
 */
function lowest(at: TopicPosition, members: Iterable<Member>): TopicPosition {
  let { offset } = at;
  for (const { stage, topics } of members) {
    const own = topics.get(at.topic);
    if (stage || own?.awaitsSnapshot) continue;
    if (!own || own.epoch === at.epoch) offset = Math.min(offset, own?.offset ?? 0);
  }
  return { ...at, offset };
}

function listed(starts: readonly TopicPosition[]): readonly TopicPosition[] {
  return starts.slice(0, positionsMax);
}

function nothingOf(topic: string): TopicPosition {
  return { topic, epoch: '', offset: 0 };
}
