import type { SubscribeResult } from '../../../protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../../protocol/server-frames.ts';
import { ClientError, ownError } from '../../client-error.ts';
import type { Member, Shared } from '../member.ts';
import type { Registry } from '../registry.ts';
import type { SubscribeOptions } from '../subscribe-options.ts';
import { caughtUp, reset, snapshot } from './feed-frames.ts';

/** What pushes concern. */
export interface PushTarget {
  readonly subscribing: Registry;
  wireFor(topic: string, options: SubscribeOptions): Shared;
  /** The gateway subscribed this session by itself, to a topic that the application hasn't asked for. */
  addServerMade(topic: string): void;
  report(error: ClientError): void;
}

/** Brings a frame, other than a batch, to the subscription that it is for. */
export function push(target: PushTarget, frame: ServerFrame): void {
  const { byView } = target.subscribing;
  switch (frame.kind) {
    case 'snapshot':
      tellSnapshot(byView.get(frame.view), frame);
      break;
    case 'reset':
      for (const member of byView.get(frame.view)?.members ?? []) reset(member, frame);
      break;
    case 'caughtUp':
      tellCaughtUp(byView.get(frame.view), frame);
      break;
    case 'lagging':
      for (const view of frame.views)
        for (const member of byView.get(view)?.members ?? []) tellLagging(member);
      break;
    case 'subscribed':
      for (const result of frame.results) subscribedByGateway(target, result);
      break;
    case 'unsubscribed':
      endedByGateway(target, frame);
      break;
    case 'joined':
    case 'left':
      tellPresence(target, frame.kind, frame);
      break;
  }
}

function tellSnapshot(wire: Shared | undefined, { publications, ...frame }: ServerKinds['snapshot']): void {
  if (!wire) return;
  const fresh = wire.received(frame.topic, publications);
  for (const member of wire.members)
    snapshot(member, { ...frame, publications: wire.extras?.keyed?.page(frame, fresh, member) ?? fresh });
}

function tellCaughtUp(wire: Shared | undefined, frame: ServerKinds['caughtUp']): void {
  if (!wire) return;
  if (frame.recovered) wire.advance(frame.cursor);
  const { topic, epoch, offset } = frame;
  for (const member of wire.members) {
    const wasLagging = member.state === 'lagging';
    caughtUp(member, frame);
    if (wasLagging && member.state === 'live') member.events.emit('caughtUp', { topic, epoch, offset });
  }
}

function tellLagging(member: Member): void {
  member.enter('lagging');
  member.events.emit('lagging');
}

function subscribedByGateway(target: PushTarget, result: SubscribeResult): void {
  const { subscribing } = target;
  if ('error' in result) {
    const { error, topic } = result;
    target.report(new ClientError({ ...error, message: `${topic}: ${error.message}` }));
    return;
  }
  const wire = target.wireFor(result.topic, {});
  // The client's own command is on its way and replaces the gateway's subscription.
  if (wire.state === 'asked') return;
  if (wire.members.size === 0) target.addServerMade(result.topic);
  // It begins after publications that the client missed: the client's own, from its position, replaces it too.
  if (wouldSkip(wire, result)) subscribing.flush();
  else {
    subscribing.byView.set(result.view, wire);
    wire.toLive(result);
  }
}

/** Whether a subscription that begins there would leave a hole after what was seen, or repeat some. */
function wouldSkip(
  { topic, members }: Shared,
  { epoch, offset }: { epoch: string; offset: number },
): boolean {
  return [...members].some((member) => {
    const at = member.at(topic);
    return at !== undefined && (at.epoch || epoch) === epoch && offset !== at.offset;
  });
}

function endedByGateway({ subscribing }: PushTarget, { views, reason }: ServerKinds['unsubscribed']): void {
  for (const view of views) {
    const wire = subscribing.byView.get(view);
    subscribing.byView.delete(view);
    subscribing.dictionaries?.forget(view);
    const why = `The gateway ended it: ${reason ?? 'no reason'}.`;
    if (wire) subscribing.refuse(wire, ownError(reason ?? 'not_subscribed', why));
  }
}

function tellPresence(
  { subscribing }: PushTarget,
  kind: 'joined' | 'left',
  { topic, member }: ServerKinds['joined'],
): void {
  for (const wire of subscribing.all())
    if (wire.isPattern ? topic.startsWith(wire.topic.slice(0, -1)) : wire.topic === topic)
      for (const { options, events } of wire.members) if (options.presence) events.emit(kind, member, topic);
}
