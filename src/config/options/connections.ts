import { integer, processes } from '../values.ts';
import { count, option } from './option.ts';

/** How many connections there may be, and how long they live. */
export const connectionsOptions = {
  connectionsMax: option(count, 10_000, 'Connections in all.', { reloads: true }),
  connectionsMaxPerIp: option(count, 100, 'Connections per client address (IPv6: per /64).', {
    reloads: true,
  }),
  unauthenticatedMaxPerIp: option(
    count,
    100,
    'Connections per client address that have shown no credential yet, where one is needed; for 5 s each.',
    { reloads: true },
  ),
  connectionsMaxPerUser: option(count, 20, 'Connections per user.', { reloads: true }),
  handshakesPerSecondPerIp: option(
    integer(1, 1_000_000),
    50,
    'New connections per second and client address.',
    { reloads: true },
  ),
  httpConnectionsMax: option(
    count,
    20_000,
    'Connections that are not WebSockets (yet); further ones are closed at once.',
    { reloads: true },
  ),
  httpConnectionsPerSecondPerIp: option(
    integer(1, 1_000_000),
    500,
    'New connections of any kind per second and address, at least two for each handshake that it may make; trusted proxies have no such limit.',
    { reloads: true },
  ),
  httpRequestsPerSecondPerIp: option(
    integer(1, 1_000_000),
    500,
    'HTTP requests per second and address that bring no valid key or token.',
    { reloads: true },
  ),
  httpRequestsPerSecondPerUser: option(
    integer(1, 1_000_000),
    500,
    'HTTP requests per second and user with a token. Requests with an API key have no limit.',
    { reloads: true },
  ),
  idleTimeoutSeconds: option(
    integer(10, 300),
    60,
    'A connection without a message or pong for this time is dead.',
  ),
  writeTimeoutSeconds: option(
    integer(1, 3600),
    30,
    'A connection whose buffer makes no progress for this time is closed.',
  ),
  workers: option(
    processes(64),
    1,
    'Processes that share the port and the load; auto: one per core. They share the engine, the caps and the metrics.',
  ),
  drainSeconds: option(
    integer(0, 3600),
    2,
    'At shutdown, the time over which clients are told to go away, one after the other. Each is told to come back within as long again, or within 2 s if that is more.',
    { reloads: true },
  ),
  shutdownGraceSeconds: option(
    integer(0, 3600),
    5,
    'At shutdown, the time that told clients and requests under way have to end.',
    { reloads: true },
  ),
  readyLoopDelayMaxMs: option(
    integer(10, 60_000),
    5000,
    'A gateway whose event loop was held up for longer than this in the last 10 s is not ready.',
    { reloads: true },
  ),
} as const;
