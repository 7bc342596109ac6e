import type { Member, Registry, Shared } from '../member.ts';
import type { SubscribeOptions } from '../subscribe-options.ts';
import { complete } from './feed-frames.ts';
import { endLag } from './pushes.ts';

/** What a change of keys needs from `Subscriptions`. */
export interface RekeyTarget extends Registry {
  wireFor(topic: string, options: SubscribeOptions): Shared;
  enter(member: Member): void;
}

/** Changes the keys of a member. If others share its wire, or a wire has these keys, the member moves. */
export function changeKeys(registry: RekeyTarget, member: Member): void {
  const { topic, options, wire } = member;
  const key = registry.keyOf(topic, options);
  if (!wire || key === wire.key) return;
  if (wire.members.size > 1 || registry.byKey.has(key)) {
    member.leave();
    member.topics.clear();
    if (registry.wireFor(topic, options).state !== 'live') member.enter('pending');
    registry.enter(member);
    return;
  }
  registry.byKey.delete(wire.key);
  Object.assign(wire, { key, options });
  registry.byKey.set(key, wire);
  rekey(registry, wire);
}

/** Sends changed keys to the gateway, one command at a time. */
export function rekey(registry: Registry, wire: Shared): void {
  const { view } = wire;
  const keyed = wire.extras?.keyed;
  const { dictionaries, commands } = registry;
  if (!keyed?.mustRekey || keyed.isRekeying || wire.state !== 'live') return;
  commands.send('setKeys', { view, keys: keyed.toRekeying() }, (reply, error) => {
    const { byView } = registry;
    const result = reply?.results[0];
    const granted = result && 'view' in result ? result : undefined;
    if (byView.get(view) !== wire) {
      // The client has left the view meanwhile, but the gateway has replaced it by another one.
      if (granted) registry.releaseView(granted.view, wire.key);
    } else if (granted) {
      byView.delete(view);
      byView.set(granted.view, wire);
      if (granted.view !== view) dictionaries.delete(view);
      wire.view = granted.view;
      keyed.toGranted();
      // The view before may not have told of a numbering that had just begun.
      for (const member of wire.audience()) {
        const known = member.topics.get(wire.topic);
        if (known) member.stand(wire.topic, known);
        member.reset(granted);
        // Of a view that is gone the gateway does not tell when it has caught up.
        endLag(member, granted);
        // All values follow: until then a position would say that they have come.
        if (known && !granted.recovered) complete(member, known, false);
      }
      rekey(registry, wire);
    } else if (error?.code === 'timeout') registry.port.connection.abandon(error);
    else if (error?.code === 'rate_limited') {
      registry.release(wire);
      registry.askLater(wire, error.retryAfterMs ?? 1_000);
    } else if (error?.code !== 'disconnected') registry.askAgain(wire);
  });
}
