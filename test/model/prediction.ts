import type { Granted, Position, Subscription, TopicResult } from '../../src/protocol/frames.ts';
import type { Broker } from '../../src/topics/broker.ts';
import { parseCursor } from '../../src/topics/cursor.ts';
import { isState } from './model.ts';
import { check, type ModelSubscription } from './subscription.ts';

/** What one topic's ring held when the gateway was asked. */
export interface HeldTopic {
  readonly topic: string;
  readonly epoch: string;
  /** The epoch begins after it. */
  readonly start: number;
  readonly reach: number;
  readonly newest: number;
  /** Up to this commit it may have had another epoch. */
  readonly bornAfterSeq: number;
}

/** What there was to fulfil a subscription from. */
export interface Evidence {
  readonly topics: readonly HeldTopic[];
  /** Of the engine. */
  readonly epoch: string;
  readonly seq: number;
  readonly forgottenSeq: number;
  /** Others may have heard of more. */
  readonly isShared: boolean;
  /** The epochs of topics without content, which another subscription of the same command may have brought back. */
  readonly gone: ReadonlyMap<string, string>;
}

export function look(broker: Broker, target: string): Evidence {
  const { epoch, forgottenSeq } = broker.commits;
  const gone = new Map([...broker.commits.numberings(0)].map(([name, { epoch }]) => [name, epoch]));
  return {
    topics: lookAt(broker, target),
    epoch,
    seq: broker.commits.seq,
    forgottenSeq,
    isShared: broker.commits.isShared,
    gone,
  };
}

/** The commit up to which the client has had everything; undefined: nothing is known of that. */
export function knownSeq(seen: Evidence, text: string | undefined): number | undefined {
  const cursor = text === undefined ? undefined : parseCursor(text);
  return cursor?.epoch === seen.epoch && (cursor.seq <= seen.seq || seen.isShared) ? cursor.seq : undefined;
}

/** One wish of a subscribe command. */
export interface SubscribeWish {
  readonly subscription: ModelSubscription;
  readonly wire: Subscription;
}

/** What the rings of the topics that a target is about hold at this moment. */
function lookAt(broker: Broker, target: string): HeldTopic[] {
  const gone = target.endsWith('*') ? undefined : broker.commits.numbering(target);
  if (gone !== undefined && broker.find(target) === undefined) {
    const { epoch, offset, bornAfterSeq } = gone;
    return [{ topic: target, epoch, start: 0, reach: offset, newest: offset, bornAfterSeq }];
  }
  // Also one that was never published to.
  const exact = broker.find(target);
  return [...(exact === undefined ? broker.topics() : [exact])]
    .filter(({ name }) => isHeard(target, name))
    .map(({ name, epoch, bornAfterSeq, startOffset: start, ring: { reach, newest } }) => ({
      bornAfterSeq,
      topic: name,
      epoch,
      start,
      reach,
      newest,
    }));
}

function isHeard(target: string, name: string): boolean {
  return target.endsWith('*')
    ? name.startsWith(target.slice(0, -1)) && !name.startsWith('$')
    : name === target;
}

function epochIn({ topics, gone }: Evidence, name: string): string | undefined {
  return topics.find(({ topic }) => topic === name)?.epoch || gone.get(name);
}

/** Whether the answer to a subscription is the only right one, where `topics` is what there was to fulfil it from. */
export function checkAnswer(wire: Subscription, seen: Evidence, result: Granted): void {
  const { topics, forgottenSeq, isShared } = seen;
  const { topic: target, since, positions, last, cursor } = wire;
  if (!target.endsWith('*')) {
    const unknown = { epoch: '', start: 0, reach: 0, newest: 0, bornAfterSeq: forgottenSeq };
    const held = topics[0] ?? { topic: target, ...unknown };
    const seq = cursor === undefined ? 0 : (knownSeq(seen, cursor) ?? -1);
    checkStart(held, since, last, result, { seq, isShared });
    return;
  }
  if (cursor !== undefined) {
    check(result.topics === undefined, 'topics that were not asked for', target, result);
    const isKnown = (knownSeq(seen, cursor) ?? -1) >= forgottenSeq;
    check(result.recovered === isKnown, 'told wrong whether a pattern is recovered', cursor, seen, result);
    return;
  }
  const answered = new Map(result.topics?.map((topic) => [topic.topic, topic]));
  const mayLackOthers =
    positions !== undefined &&
    (forgottenSeq > 0 ||
      [...seen.gone.keys()].some((name) => isHeard(target, name) && !answered.has(name)) ||
      !positions.some(({ topic, epoch }) => epoch !== '' && epochIn(seen, topic) === epoch));
  check(result.recovered === (mayLackOthers ? false : undefined), 'told wrong of other topics', seen, result);
  for (const held of topics) {
    const answer = answered.get(held.topic);
    check(answer !== undefined, 'a topic of the pattern that was not named', target, held);
    answered.delete(held.topic);
    const known = positions?.find(({ topic }) => topic === held.topic);
    checkStart(held, known ?? (positions && { epoch: '', offset: 0 }), last, answer, { seq: 0, isShared });
  }
  for (const position of positions ?? []) {
    if (position.epoch === '' || topics.some(({ topic }) => topic === position.topic)) continue;
    const answer = answered.get(position.topic);
    check(answer !== undefined, 'a topic that is gone and was not named', target, position);
    const missedNothing = answer.epoch === position.epoch && answer.offset === position.offset;
    check(answer.recovered === missedNothing, 'a topic that is gone, told wrong', position, answer);
    answered.delete(position.topic);
  }
  for (const name of seen.gone.keys()) answered.delete(name);
  check(answered.size === 0, 'topics that do not exist', target, [...answered.keys()]);
}

function checkStart(
  held: HeldTopic,
  since: Position | undefined,
  last: number | undefined,
  answer: TopicResult,
  had: KnownCommit,
): void {
  const right = since === undefined ? startNew(held, last, answer) : startSince(held, since, had, answer);
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

interface KnownCommit {
  readonly seq: number;
  readonly isShared: boolean;
}

type Start = Pick<TopicResult, 'epoch' | 'offset' | 'recovered' | 'missing'>;

function startSince(
  { topic, epoch, start, reach, newest, bornAfterSeq }: HeldTopic,
  since: Position,
  { seq, isShared }: KnownCommit,
  answer: TopicResult,
): Start {
  const hadNothing = since.epoch === '' && since.offset === 0;
  const hadAllBefore = seq >= bornAfterSeq && (seq > 0 || hadNothing);
  const isInEpoch = since.epoch === epoch && epoch !== '';
  const isKnown = isInEpoch || hadAllBefore;
  const after = isInEpoch ? since.offset : start;
  // A view with members has kept what they have still to be sent, though it was evicted.
  const isKept = after >= reach || (answer.recovered === true && answer.offset === after);
  if (isKnown && isKept && (after <= newest || isShared))
    return { epoch, offset: after, recovered: true, missing: undefined };
  if (isState(topic)) return { epoch, offset: newest, recovered: true, missing: undefined };
  const isLost = isKnown && after < reach;
  const kept = Math.min(reach, Math.max(isLost ? after + 1 : 0, answer.offset));
  const missing = isLost ? { after, upto: kept } : undefined;
  return { epoch, offset: isKnown && !isLost ? newest : kept, recovered: false, missing };
}

/** A new subscriber of a stream may begin a little earlier: with what its view has still to send. */
function startNew({ topic, epoch, reach, newest }: HeldTopic, last = 0, { offset }: TopicResult): Start {
  const right = isState(topic)
    ? newest
    : last > 0
      ? Math.max(reach, newest - last)
      : Math.min(offset, newest);
  return { epoch, offset: right, recovered: undefined, missing: undefined };
}
