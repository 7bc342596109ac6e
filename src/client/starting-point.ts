import type { TopicPosition } from '../protocol/frames.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/** `since` as a list: an exact topic's is a single position. */
export function sinceList(topic: string, since: SubscribeOptions['since']): readonly TopicPosition[] {
  if (!since) return [];
  return 'offset' in since ? [{ topic, ...since }] : since;
}

/**
 * Where a shared subscription has to begin so that everybody gets theirs: per topic, the earliest of where it
 * stands and where members want to begin. Positions of another epoch than its own can't be compared and don't
 * count.
 */
export function startingPoints(
  topic: string,
  known: readonly TopicPosition[],
  wishes: readonly SubscribeOptions[],
): TopicPosition[] {
  const starts = new Map(known.map((position) => [position.topic, position]));
  for (const wanted of wishes.flatMap((wish) => wantedBy(topic, known, wish))) {
    const start = starts.get(wanted.topic);
    if (!start || (start.epoch === wanted.epoch && wanted.offset < start.offset))
      starts.set(wanted.topic, wanted);
  }
  return [...starts.values()];
}

/**
 * A wish for the last N counts back from the subscription's position; a new one leaves that to the gateway.
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
