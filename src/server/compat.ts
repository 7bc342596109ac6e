import type { Route } from '../api/route.ts';
import { whenDone } from '../awaitable.ts';
import { type CompatPath, type CompatPathOptions, pathsOf } from '../compat/paths.ts';
import { compatRoutes, notificationStats } from '../compat/routes.ts';
import { SystemSessions } from '../compat/system-sessions.ts';
import { codecNameOf, systemsOf } from '../compat/systems.ts';
import { SluiceError } from '../errors.ts';
import { toInstant } from '../protocol/instant.ts';
import type { CommandOptions } from '../sessions/commands/command.ts';
import type { Broker } from '../topics/broker.ts';
import type { Access } from './access.ts';
import type { Environment } from './environment.ts';
import type { Site } from './site.ts';

/** A path, and whether a request without an upgrade is for a route of HTTP. */
type ServedPath = CompatPath & { readonly isRoute: (path: string) => boolean };

/** What serves the clients and backends of the older systems. Empty where none is asked for. */
export interface Compat {
  readonly sessions: SystemSessions;
  readonly routes: readonly Route[];
  readonly paths: readonly ServedPath[];
  /** On the port of their own. */
  readonly pathsApart: readonly ServedPath[];
  readonly answerCall: NonNullable<CommandOptions['answerCall']>;
}

/** The system that may have a port of its own: there every path is its. */
const apart = 'b';

/** `otherNodes`: absent if there are no other nodes. */
export function createCompat(
  environment: Environment,
  broker: Broker,
  { authorize }: Access,
  otherNodes: Site['otherNodes'],
): Compat {
  const { config, monotonicMs, isDraining } = environment;
  const systems = systemsOf(config);
  const sessions = new SystemSessions({
    systems: systems.map(({ name }) => name),
    monotonicMs,
    pingMs: (config.idleTimeoutSeconds * 1000) / 2,
    otherNodes,
  });
  const pathOptions: CompatPathOptions = {
    authorize,
    now: () => toInstant(broker.wallMs()),
    countSent: (name, bytes) => sessions.sent(name, bytes),
  };
  const notifying = systems.find(({ name }) => name === 'd');
  const routes = compatRoutes(systems, {
    stats: (name) => sessions.stats(name),
    isRunning: () => !isDraining(),
  });
  // `stats` is no user below `/api/v1/ws/{user}` where it is a route.
  const isRoute = (path: string) => routes.some((route) => route.path === path);
  return {
    sessions,
    routes,
    paths: systems
      .flatMap((system) => pathsOf(system, pathOptions))
      .map((path) => ({ ...path, isRoute: path.path === '/' ? () => true : isRoute })),
    pathsApart: systems
      .filter(({ name }) => name === apart)
      .flatMap((system) => pathsOf(system, pathOptions, ['/*']))
      .map((path) => ({ ...path, isRoute: () => false })),
    answerCall: ({ codec, identity }, method) => {
      if (method !== 'stats' || notifying === undefined) return undefined;
      // Clients of the system may have them; others need what `GET /api/stats` needs.
      const isClient = codec.name === codecNameOf(notifying.name);
      if (!isClient && !identity.scopes.includes('read'))
        throw new SluiceError('forbidden', 'not allowed to read stats');
      return whenDone(sessions.stats(notifying.name), (stats) => {
        const body = notificationStats(stats, notifying.namespace);
        return { format: 'json', bytes: Buffer.from(JSON.stringify(body)) };
      });
    },
  };
}
