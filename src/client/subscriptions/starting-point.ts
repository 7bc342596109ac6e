import type { Position, TopicPosition, Subscription as WireSubscription } from '../../protocol/frames.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/** `since` as a list: an exact topic's is a single position. */
export function sinceList(topic: string, since: SubscribeOptions['since']): readonly TopicPosition[] {
  if (!since) return [];
  return 'offset' in since ? [{ topic, ...since }] : since;
}

/**
 * Where a shared subscription has to begin so that each member gets its own: per topic, the earliest of its position
 * and of where members want to begin. Positions of another epoch can't be compared and don't count.
 */
export function startingPoints(
  topic: string,
  known: readonly TopicPosition[],
  requests: readonly SubscribeOptions[],
): TopicPosition[] {
  const starts = new Map(known.map((position) => [position.topic, position]));
  for (const wanted of requests.flatMap((request) => wantedBy(topic, known, request))) {
    const start = starts.get(wanted.topic);
    if (!start || isEarlier(wanted, start)) starts.set(wanted.topic, wanted);
  }
  return [...starts.values()];
}

/** A client that knew the topic as empty lacks everything of whatever epoch it has now. */
function isEarlier(wanted: Position, start: Position): boolean {
  return (wanted.epoch === start.epoch || wanted.epoch === '') && wanted.offset < start.offset;
}

/**
 * A request for the last N counts back from the subscription's position; a new one leaves that to the gateway.
 */
function wantedBy(
  topic: string,
  known: readonly TopicPosition[],
  { since, last }: SubscribeOptions,
): readonly TopicPosition[] {
  if (since) return sinceList(topic, since);
  if (!last) return [];
  return known.map(({ offset, ...position }) => ({ ...position, offset: Math.max(0, offset - last) }));
}

/** Where a shared subscription is. */
export interface Whereabouts {
  readonly topic: string;
  /** Of topics whose snapshot is complete. */
  readonly known: readonly TopicPosition[];
  readonly cursor: string | undefined;
  /** A pattern's topic of which something is missing that `cursor` counts as received. */
  readonly suspect: string | undefined;
  /** A pattern's topics were forgotten: without `cursor` all of them would come again. */
  readonly hasForgotten: boolean;
  readonly wasLive: boolean;
}

/** Where the gateway is asked to begin. */
export interface Beginning {
  readonly wire: Pick<WireSubscription, 'since' | 'positions' | 'cursor' | 'last'>;
  /** The positions among that. */
  readonly starts: readonly TopicPosition[];
}

/** The gateway takes a list of up to this many positions. */
const positionsMax = 1000;

export function beginning(at: Whereabouts, requests: readonly SubscribeOptions[]): Beginning {
  return at.topic.endsWith('*') ? beginningOfPattern(at, requests) : beginningOfTopic(at, requests);
}

function beginningOfTopic({ topic, known, cursor }: Whereabouts, requests: readonly SubscribeOptions[]) {
  const starts = startingPoints(topic, known, requests);
  const [start] = starts;
  if (!start) return { starts, wire: lastOf(requests) };
  const { epoch, offset } = start;
  const request = requests.find(({ since }) => sinceList(topic, since).some((one) => isSame(one, start)));
  return {
    starts,
    wire: { since: { epoch, offset }, cursor: start === known[0] ? cursor : request?.cursor },
  };
}

/** By cursor where there is one: a single text, whatever the number of topics. */
function beginningOfPattern(
  { topic, known, cursor, suspect, hasForgotten, wasLive }: Whereabouts,
  requests: readonly SubscribeOptions[],
): Beginning {
  const requested = requests.find((request) => request.cursor !== undefined)?.cursor;
  if (requested !== undefined) return { starts: [], wire: { cursor: requested } };
  const goesBack = requests.some(({ since, last }) => since || (last && known.length <= positionsMax));
  if (cursor !== undefined && suspect === undefined && !goesBack) return { starts: [], wire: { cursor } };
  if (cursor !== undefined && hasForgotten && !goesBack) {
    const start = known.find((position) => position.topic === suspect);
    const positions = [start ?? { topic: suspect as string, epoch: '', offset: 0 }];
    return { starts: positions, wire: { cursor, positions } };
  }
  const starts = startingPoints(topic, known, requests);
  if (starts.length === 0 && !wasLive) return { starts, wire: lastOf(requests) };
  const listed = starts.length <= positionsMax ? starts : mostNeeded(starts, known, suspect);
  return { starts: listed, wire: { positions: listed.length > 0 ? listed : [nowhere(topic)] } };
}

/** Of topics that are not listed the gateway sends all that it has; the client skips what it had. */
function mostNeeded(
  starts: readonly TopicPosition[],
  known: readonly TopicPosition[],
  suspect: string | undefined,
): TopicPosition[] {
  const asKnown = new Set(known);
  const isNeeded = (start: TopicPosition) => start.topic === suspect || !asKnown.has(start);
  const rest = starts.filter((start) => !isNeeded(start));
  return [...starts.filter(isNeeded), ...rest].slice(0, positionsMax);
}

function lastOf(requests: readonly SubscribeOptions[]) {
  return { last: Math.max(0, ...requests.map(({ last = 0 }) => last)) || undefined };
}

/**
 * Without any position the gateway would take a pattern for new, and topics born meanwhile would begin at their end.
 */
function nowhere(pattern: string): TopicPosition {
  return { topic: pattern.slice(0, -1) || 'any', epoch: '', offset: 0 };
}

function isSame(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.offset === b.offset;
}
