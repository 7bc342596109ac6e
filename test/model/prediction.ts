import type { Granted, Position, Subscription, TopicResult } from '../../src/protocol/frames.ts';
import type { Broker } from '../../src/topics/broker.ts';
import { isState } from './model.ts';
import { check, type ModelSubscription } from './subscription.ts';

/** What one topic's ring held when the gateway was asked. */
export interface Held {
  readonly topic: string;
  readonly epoch: string;
  /** The epoch begins behind it. */
  readonly start: number;
  readonly reach: number;
  readonly newest: number;
}

/** One wish of a subscribe command. */
export interface Asked {
  readonly subscription: ModelSubscription;
  readonly wire: Subscription;
}

/** What the rings of the topics that a target is about hold at this moment. */
export function lookAt(broker: Broker, target: string): Held[] {
  const isHeard = (name: string) =>
    target.endsWith('*') ? name.startsWith(target.slice(0, -1)) && !name.startsWith('$') : name === target;
  const gone = target.endsWith('*') ? undefined : broker.numbering(target);
  if (gone !== undefined && broker.find(target) === undefined) {
    const { epoch, offset } = gone;
    return [{ topic: target, epoch, start: 0, reach: offset, newest: offset }];
  }
  return [...broker.topics()]
    .filter(({ name }) => isHeard(name))
    .map(({ name, epoch, startOffset: start, ring: { reach, newest } }) => ({
      topic: name,
      epoch,
      start,
      reach,
      newest,
    }));
}

/** Whether the answer to a subscription is the only right one, where `topics` is what there was to fulfil it from. */
export function checkAnswer(wire: Subscription, topics: readonly Held[], result: Granted): void {
  const { topic: target, since, positions, last } = wire;
  if (!target.endsWith('*')) {
    const held = topics[0] ?? { topic: target, epoch: '', start: 0, reach: 0, newest: 0 };
    checkStart(held, since, last, result);
    return;
  }
  const answered = new Map(result.topics?.map((topic) => [topic.topic, topic]));
  for (const held of topics) {
    const answer = answered.get(held.topic);
    check(answer !== undefined, 'a topic of the pattern that was not named', target, held);
    answered.delete(held.topic);
    const known = positions?.find(({ topic }) => topic === held.topic);
    checkStart(held, known ?? (positions && { epoch: '', offset: 0 }), last, answer);
  }
  for (const position of positions ?? []) {
    if (position.epoch === '' || topics.some(({ topic }) => topic === position.topic)) continue;
    const answer = answered.get(position.topic);
    check(answer !== undefined, 'a topic that is gone and was not named', target, position);
    const missedNothing = answer.epoch === position.epoch && answer.offset === position.offset;
    check(answer.recovered === missedNothing, 'a topic that is gone, told wrong', position, answer);
    answered.delete(position.topic);
  }
  check(answered.size === 0, 'topics that do not exist', target, [...answered.keys()]);
}

function checkStart(
  held: Held,
  since: Position | undefined,
  last: number | undefined,
  answer: TopicResult,
): void {
  const right = since === undefined ? startNew(held, last, answer) : startSince(held, since);
  const { epoch, offset, recovered, missing } = answer;
  const given = { epoch, offset, recovered, missing };
  check(JSON.stringify(given) === JSON.stringify(right), 'not the right start', {
    since,
    last,
    held,
    given,
    right,
  });
}

type Start = Pick<TopicResult, 'epoch' | 'offset' | 'recovered' | 'missing'>;

function startSince({ topic, epoch, start, reach, newest }: Held, since: Position): Start {
  const hadNothing = since.epoch === '' && since.offset === 0;
  const isKnown = since.epoch === epoch || hadNothing;
  const after = hadNothing ? start : since.offset;
  if (isKnown && after >= reach && after <= newest)
    return { epoch, offset: after, recovered: true, missing: undefined };
  if (isState(topic)) return { epoch, offset: newest, recovered: true, missing: undefined };
  const isLost = isKnown && after < reach;
  const missing = isLost ? { after, upto: reach } : undefined;
  return { epoch, offset: isKnown && !isLost ? newest : reach, recovered: false, missing };
}

/** A new subscriber of a stream may begin a little earlier: with what its view has still to send. */
function startNew({ topic, epoch, reach, newest }: Held, last = 0, { offset }: TopicResult): Start {
  const right = isState(topic)
    ? newest
    : last > 0
      ? Math.max(reach, newest - last)
      : Math.min(offset, newest);
  return { epoch, offset: right, recovered: undefined, missing: undefined };
}
