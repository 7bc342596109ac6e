import type { Member, Shared } from '../member.ts';
import type { Registry } from '../registry.ts';
import type { SubscribeOptions } from '../subscribe-options.ts';

/** All subscriptions, as one that gets other keys sees them. */
interface RekeyTarget extends Registry {
  wireFor(topic: string, options: SubscribeOptions): Shared;
  enter(member: Member): void;
  leave(member: Member): void;
}

/** Other keys of one subscription: it moves to a wire with these where others have theirs or want to keep the old. */
export function changeKeys(registry: RekeyTarget, member: Member): void {
  const { topic, options, wire } = member;
  const key = registry.keyOf(topic, options);
  if (!wire || key === wire.key) return;
  if (wire.members.size > 1 || registry.byKey.has(key)) {
    registry.leave(member);
    member.topics.clear();
    if (registry.wireFor(topic, options).state !== 'live') member.enter('pending');
    registry.enter(member);
    return;
  }
  registry.byKey.delete(wire.key);
  wire.options = options;
  wire.key = key;
  registry.byKey.set(key, wire);
  rekey(registry, wire);
}

/** Tells the gateway of other keys, one command at a time. */
export function rekey(registry: Registry, wire: Shared): void {
  const { view } = wire;
  const keyed = wire.extras?.keyed;
  const { byView, dictionaries, commands } = registry;
  if (!keyed?.mustRekey || keyed.isRekeying || wire.state !== 'live') return;
  keyed.isRekeying = true;
  commands.send('setKeys', { view, keys: keyed.toAsked() }, (outcome) => {
    const result = outcome.ok ? outcome.reply.results[0] : undefined;
    const granted = result && 'view' in result ? result : undefined;
    if (byView.get(view) !== wire) {
      // It was left meanwhile, and the gateway knew that view no more.
      if (granted) registry.releaseView(granted.view, wire.key);
    } else if (granted) {
      byView.delete(view);
      byView.set(granted.view, wire);
      if (granted.view !== view) dictionaries?.forget(view);
      // Another view takes the place of the one before, and goes on where that was.
      wire.view = granted.view;
      keyed.toGranted();
      rekey(registry, wire);
    } else if (!outcome.ok && outcome.error.code === 'timeout') registry.abandon(outcome.error);
    else if (!outcome.ok && outcome.error.code === 'rate_limited') {
      registry.release(wire);
      registry.askLater(wire, outcome.error.retryAfterMs ?? 1_000);
    } else if (!outcome.ok && outcome.error.code !== 'disconnected') registry.askAgain(wire);
  });
}
