import type { Registry, Shared } from '../member.ts';
import { showAll } from './member-extras.ts';

/**
 * The gateway has an equal subscription already. If the client has dropped that one, ends it first. If the client holds
 * it under another key (the namespace conflates by default), merges the two. Otherwise the planned retry follows.
 */
export async function reconcile(registry: Registry, wire: Shared): Promise<void> {
  const { topic, key } = wire;
  const { commands } = registry;
  if (wire.state !== 'asked') return;
  registry.askLater(wire, wire.backoff.next() ?? 0);
  if (registry.isEnding(key)) {
    // As soon as the equal one has ended, rather than at the planned time.
    registry.retries?.delete(wire);
    wire.toNeeded();
    return;
  }
  const twin = twinOf(registry, wire);
  if (twin) {
    merge(registry, wire, twin);
    return;
  }
  try {
    const { subscriptions } = await commands.request('status', {});
    const ghosts = subscriptions.filter(
      ({ topic: held, view }) => held === topic && !registry.byView.has(view),
    );
    for (const { view } of ghosts) registry.releaseView(view, key);
  } catch {
    // The connection is gone or busy: the planned retry asks again.
  }
}

function twinOf(registry: Registry, { topic, options }: Shared): Shared | undefined {
  const twin = registry.byKey.get(registry.keyOf(topic, { ...options, conflate: !options.conflate }));
  return twin?.state === 'live' ? twin : undefined;
}

function merge(registry: Registry, wire: Shared, twin: Shared): void {
  for (const member of [...wire.members]) {
    wire.members.delete(member);
    if (twin.join(member)) registry.askAgain(twin);
    queueMicrotask(() => showAll(member));
  }
  registry.drop(wire);
}
