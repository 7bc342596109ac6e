import type { Position } from '../../../protocol/frames.ts';

/** A client that knew the topic as empty (epoch '') lacks everything, in whatever epoch the topic is now. */
export function isEarlier(wanted: Position, start: Position | undefined): boolean {
  if (!start) return true;
  return (wanted.epoch === start.epoch || wanted.epoch === '') && wanted.offset < start.offset;
}
