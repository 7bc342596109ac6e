import type { TopicPosition, Subscription as WireSubscription } from '../../../protocol/frames.ts';
import type { Member, Shared, WireExtras } from '../member.ts';
import { positionsMax } from '../positions-max.ts';
import { isEarlier } from './earlier.ts';

interface Start extends TopicPosition {
  /** The member whose position it is. */
  readonly member: Member;
}

/**
 * The earliest position of all members in each topic, so that each member gets what it lacks. A position in another
 * epoch than that of the members that were served before can't be compared, and is left out.
 */
function startsOf(members: readonly Member[]): readonly Start[] {
  const starts = new Map<string, Start>();
  for (const member of members)
    for (const [topic, { epoch, offset, awaitsSnapshot }] of member.topics)
      if (!awaitsSnapshot && isEarlier({ epoch, offset }, starts.get(topic)))
        starts.set(topic, { topic, epoch, offset, member });
  return [...starts.values()];
}

/** The start of a subscription. */
export interface Beginning {
  readonly wire: Pick<WireSubscription, 'since' | 'positions' | 'cursor' | 'last'>;
  /** The positions in it. */
  readonly starts: readonly TopicPosition[];
  /** New members want different `last`: the gateway is asked for the end, and each goes back from there. */
  readonly atEnd?: boolean;
}

export function beginning(
  { topic, isPattern, cursor, members: unsorted }: Shared,
  {
    suspect,
    isBeforeCursor,
    isServed,
    wasLive,
  }: Pick<WireExtras, 'suspect' | 'isBeforeCursor' | 'isServed' | 'wasLive'>,
): Beginning {
  const members = [...unsorted].sort((a, b) => Number(a.isUnserved) - Number(b.isUnserved));
  const unserved = members.filter(({ isUnserved }) => isUnserved);
  const lasts = new Set(members.map(({ isUnserved, options }) => (isUnserved && options.last) || undefined));
  const [last] = lasts;
  const fresh: Beginning =
    lasts.size > 1 ? { starts: [], wire: {}, atEnd: true } : { starts: [], wire: { last } };
  if (!isPattern) {
    const [start] = startsOf(members);
    if (!start) return fresh;
    const { epoch, offset, member } = start;
    return { starts: [start], wire: { since: { epoch, offset }, cursor: member.cursor } };
  }
  // By cursor, if there is one: it is a single text for any number of topics.
  const requested = unserved.find(({ options }) => options.cursor !== undefined)?.options.cursor;
  const goesBack =
    isBeforeCursor ||
    unserved.some(({ options, topics }) => options.since || (options.last && topics.size > 0));
  const byCursor = requested ?? (goesBack ? undefined : cursor);
  const hasForgotten = members.some((member) => member.extras?.hasForgotten);
  if (byCursor !== undefined && (requested !== undefined || suspect === undefined))
    return { starts: [], wire: { cursor: byCursor } };
  const all = startsOf(members);
  if (byCursor !== undefined && hasForgotten) {
    const positions = listed(all.filter((each) => each.topic === suspect));
    const [start = { topic: suspect as string, epoch: '', offset: 0 }] = positions;
    return { starts: [start], wire: { cursor, positions: [start] } };
  }
  if (all.length === 0 && !wasLive) return fresh;
  // The gateway sends everything that it has of topics that are not listed. The client skips what it has had.
  const rank = (start: Start) => Number(start.topic === suspect || start.member.isUnserved);
  const starts = listed(all.length > positionsMax ? [...all].sort((a, b) => rank(b) - rank(a)) : all);
  // Positions name no gateway. Only a cursor tells one that has restarted meanwhile what else the members lack.
  const beside = isBeforeCursor || !isServed ? cursor : undefined;
  return { starts, wire: { cursor: beside, positions: starts.length > 0 ? starts : [nowhere(topic)] } };
}

function listed(starts: readonly Start[]): readonly TopicPosition[] {
  return starts.slice(0, positionsMax).map(({ topic, epoch, offset }) => ({ topic, epoch, offset }));
}

/**
 * Without any position the gateway would take the pattern for a new one, and begin topics that are new at their end.
 */
function nowhere(pattern: string): TopicPosition {
  return { topic: pattern.slice(0, -1) || 'any', epoch: '', offset: 0 };
}
