import type { TopicPosition, WireError } from '../../../protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../../protocol/server-frames.ts';
import type { Member, Registry, Shared } from '../member.ts';
import { caughtUp, snapshot } from './feed-frames.ts';

/** Hands a frame, other than a batch, to the subscription that it is for. */
export function push(registry: Registry, frame: ServerFrame): void {
  const { byView } = registry;
  switch (frame.kind) {
    case 'snapshot':
      tellSnapshot(byView.get(frame.view), frame);
      break;
    case 'caughtUp':
      tellCaughtUp(byView.get(frame.view), frame);
      break;
    case 'lagging':
      for (const view of frame.views)
        for (const member of byView.get(view)?.audience() ?? []) tellLagging(member);
      break;
    case 'unsubscribed':
      endedByGateway(registry, frame);
      break;
    case 'joined':
    case 'left':
      tellPresence(registry, frame.kind, frame);
      break;
  }
}

function tellSnapshot(wire: Shared | undefined, { publications, ...frame }: ServerKinds['snapshot']): void {
  if (!wire) return;
  const fresh = wire.received(frame.topic, publications);
  for (const member of wire.audience())
    snapshot(member, { ...frame, publications: wire.extras?.keyed?.page(frame, fresh, member) ?? fresh });
}

function tellCaughtUp(wire: Shared | undefined, frame: ServerKinds['caughtUp']): void {
  if (!wire) return;
  const { topic, epoch, offset } = frame;
  for (const member of wire.audience()) {
    const wasLagging = member.state === 'lagging';
    caughtUp(member, frame);
    if (wasLagging && member.state === 'live') member.emitter.emit('caughtUp', { topic, epoch, offset });
  }
  if (frame.recovered) wire.advance(frame.cursor);
}

function tellLagging(member: Member): void {
  member.enter('lagging');
  member.emitter.emit('lagging');
}

/** Its updates are live again. */
export function endLag(member: Member, { topic, epoch, offset }: TopicPosition): void {
  if (member.state !== 'lagging') return;
  member.enter('live');
  member.emitter.emit('caughtUp', { topic, epoch, offset });
}

/** The reasons for which a gateway ends a subscription, with their numbers in `src/errors/numbers.ts`. */
const reasons: Readonly<Record<string, number>> = {
  forbidden: 112,
  not_subscribed: 132,
  too_many_views: 142,
  internal: 152,
};

/** From this number on the same call may succeed later, as it may if the number is unknown. */
const firstThatPasses = 140;

export function endError(code: string, why = code): WireError {
  const number = reasons[code] ?? 0;
  const message = `The gateway ended it: ${why}.`;
  return { code, message, number, retry: number === 0 || number >= firstThatPasses };
}

function endedByGateway(registry: Registry, { views, reason }: ServerKinds['unsubscribed']): void {
  for (const view of views) {
    const wire = registry.byView.get(view);
    registry.byView.delete(view);
    registry.dictionaries.delete(view);
    if (wire) registry.end(wire, reason ? endError(reason) : endError('not_subscribed', 'no reason'));
  }
}

function tellPresence(
  registry: Registry,
  kind: 'joined' | 'left',
  { topic, member }: ServerKinds['joined'],
): void {
  for (const wire of registry.all())
    if (wire.isPattern ? topic.startsWith(wire.topic.slice(0, -1)) : wire.topic === topic)
      for (const { options, emitter } of wire.members)
        if (options.presence) emitter.emit(kind, member, topic);
}
