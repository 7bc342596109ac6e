import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { farewell } from '../sessions/farewell.ts';
import { eventsGraceMs } from './application-events.ts';
import type { Assembly } from './assembly.ts';
import type { Listeners } from './listeners.ts';
import type { WorkerSite } from './worker.ts';

/** What runs by itself while the gateway serves. */
export interface Running {
  readonly listeners: Listeners;
  /** Ends the gateway's own clients and publishers. */
  stopSources(): Promise<unknown>;
  /** Ends timers. */
  stopTimers(): void;
}

/** Sends the clients away, waits for running requests, and ends the gateway. */
export async function drain(
  { environment, draining, delivery, sessionStage, serving, told, storage }: Assembly,
  { listeners, stopSources, stopTimers }: Running,
  site: WorkerSite | undefined,
): Promise<void> {
  const { config, monotonicMs } = environment;
  const { sessions } = sessionStage;
  const graceMs = config.shutdownGraceSeconds * 1000;
  draining.begin();
  // A single gateway still listens, so that a load balancer is told that it is not ready. A worker does not, so that
  // the other workers get the new connections.
  if (site !== undefined) listeners.stop();
  await stopSources();
  await delivery.fanout.hurry();
  await farewell({
    sessions,
    overMs: draining.overMs,
    reconnectSpreadMs: draining.spreadMs,
    wait,
    monotonicMs,
    random: Math.random,
  });
  await sessions.drained(graceMs);
  if (site === undefined) listeners.stop();
  await serving.requests.finish(graceMs);
  stopTimers();
  // Includes the last events of the sessions.
  await (told === undefined ? site?.events?.close() : told.events.close(eventsGraceMs));
  await storage.broker.close();
  // Requests that have come by now are read and answered: closing a connection with unread bytes resets it, and a
  // balancer does not repeat a request for that. The rest of this turn may not read them, the next one does.
  for (let turns = 0; turns < 2; turns++) await nextTurn();
  listeners.close();
}
