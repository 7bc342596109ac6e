import { setTimeout as after } from 'node:timers/promises';
import { listenAt } from '../../unix-sockets.ts';

/** A gateway needs no longer from when it has looked whether a port is free until it listens there. */
const waitMaxMs = 30_000;
const pollMs = 25;
const noLock = (): void => undefined;

/**
 * Locks a port against other gateways of this machine that are about to look whether it is free and then to share it
 * with processes of their own: two that look at the same time would both find it free, and the system would let both
 * have it. Waits while another one has the lock, so that what it finds then is what that one has made of it.
 *
 * The lock is the name of a socket that is no file: it goes with the process. Only Linux has such names; elsewhere, and
 * where they can't be had, there is no lock. Resolves with what releases it; rejects with the reason of `signal`.
 */
export async function lockPort(port: number, signal?: AbortSignal): Promise<() => void> {
  if (process.platform !== 'linux') return noLock;
  const untilMs = performance.now() + waitMaxMs;
  for (;;) {
    const unlock = await listenAt(`\0sluice-port-${port}`).catch(() => noLock);
    if (unlock !== undefined) return unlock;
    if (performance.now() > untilMs) return noLock;
    await after(pollMs);
    signal?.throwIfAborted();
  }
}
