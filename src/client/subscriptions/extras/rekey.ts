import type { Member, Shared } from '../member.ts';
import type { Registry } from '../registry.ts';
import type { SubscribeOptions } from '../subscribe-options.ts';

/** Other keys of one subscription. `move`: to a wire with these, as others have theirs or want to keep the old ones. */
export function changeKeys(
  registry: Registry,
  member: Member,
  wire: Shared,
  options: SubscribeOptions,
  move: () => void,
): void {
  const key = registry.keyOf(member.topic, options);
  if (key === wire.key) return;
  member.options = options;
  if (wire.members.size > 1 || registry.byKey.has(key)) {
    move();
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
  const { view, keyed } = wire;
  const { byView, dictionaries, commands } = registry;
  if (!keyed?.mustRekey || keyed.isRekeying || wire.state !== 'live') return;
  keyed.isRekeying = true;
  commands.send('setKeys', { view, keys: keyed.toAsked() }, (outcome) => {
    const result = outcome.ok ? outcome.reply.results[0] : undefined;
    const granted = result && 'view' in result ? result : undefined;
    if (byView.get(view) !== wire) {
      // It was left meanwhile, and the gateway knew that view no more.
      if (granted) registry.releases.add(granted.view, wire.key);
    } else if (granted) {
      byView.delete(view);
      byView.set(granted.view, wire);
      if (granted.view !== view) dictionaries.forget(view);
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
