import { createServer, type Server } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';

/** A gateway needs no longer from when it has looked whether a port is free until it listens there. */
const waitMaxMs = 30_000;
const pollMs = 25;

/**
 * Locks a port against other gateways of this machine that are about to look whether it is free and then to share it
 * with processes of their own: two that look at the same time would both find it free, and the system would let both
 * have it. Waits while another one has the lock, so that what it finds then is what that one has made of it.
 *
 * The lock is the name of a socket that is no file: it goes with the process. Only Linux has such names; elsewhere, and
 * where they can't be had, there is no lock. Resolves with what releases it; rejects with the reason of `signal`.
 */
export async function lockPort(port: number, signal?: AbortSignal): Promise<() => void> {
  if (process.platform !== 'linux') return () => undefined;
  const untilMs = performance.now() + waitMaxMs;
  for (;;) {
    const locked = await tryLock(`\0sluice-port-${port}`);
    if (locked !== 'taken') return () => void locked?.close();
    if (performance.now() > untilMs) return () => undefined;
    await after(pollMs);
    signal?.throwIfAborted();
  }
}

/** Undefined: there can be no lock. */
function tryLock(path: string): Promise<Server | 'taken' | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code === 'EADDRINUSE' ? 'taken' : undefined),
    );
    server.listen({ path }, () => resolve(server.unref()));
  });
}
