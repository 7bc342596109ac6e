import type { Registry, Shared } from '../member.ts';
import { recoveryIntervalMinMs } from '../recovery-interval.ts';

/** When each was recovered last. */
const recoveredAtMs = new WeakMap<Shared, number>();

/**
 * Fetches what is missing by subscribing again from the position. Batches are ignored until the reply. Batches that
 * never fit must not make a storm of commands.
 */
export function recover(registry: Registry, wire: Shared): void {
  if (wire.state !== 'live') return;
  const nowMs = registry.runtime.monotonicMs();
  const earliestMs = (recoveredAtMs.get(wire) ?? -recoveryIntervalMinMs) + recoveryIntervalMinMs;
  recoveredAtMs.set(wire, Math.max(nowMs, earliestMs));
  if (nowMs >= earliestMs) registry.askAgain(wire);
  else {
    registry.release(wire);
    registry.askLater(wire, earliestMs - nowMs);
  }
}
