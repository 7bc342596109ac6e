import { integer, processes } from '../values.ts';
import { count, liveOption, option } from './option.ts';

/** How many connections there may be, and how long they live. */
export const connectionsOptions = {
  connectionsMax: liveOption(count, 10_000, 'Maximum number of connections.'),
  connectionsMaxPerIp: liveOption(
    count,
    100,
    'Maximum number of connections per client address (IPv6: per /64).',
  ),
  unauthenticatedMaxPerIp: liveOption(
    count,
    100,
    'Maximum number of unauthenticated connections per client address, if a credential is required; each has 5 s to authenticate.',
  ),
  connectionsMaxPerUser: liveOption(count, 20, 'Maximum number of connections per user.'),
  handshakesPerSecondPerIp: liveOption(
    integer(1, 1_000_000),
    50,
    'Maximum new connections per second and client address.',
  ),
  httpConnectionsMax: liveOption(
    count,
    20_000,
    'Maximum number of TCP connections that are not (yet) WebSockets; further ones are closed at once.',
  ),
  httpConnectionsPerSecondPerIp: liveOption(
    integer(1, 1_000_000),
    500,
    'Maximum new TCP connections per second and address, and at least twice handshakesPerSecondPerIp. Trusted proxies have no such limit.',
  ),
  httpRequestsPerSecondPerIp: liveOption(
    integer(1, 1_000_000),
    500,
    'Maximum HTTP requests without a valid key or token, per second and address.',
  ),
  httpRequestsPerSecondPerUser: liveOption(
    integer(1, 1_000_000),
    500,
    'Maximum HTTP requests with a token, per second and user. Requests with an API key have no such limit.',
  ),
  idleTimeoutSeconds: option(
    integer(10, 300),
    60,
    'Time without a message or pong after which a connection is considered dead.',
  ),
  writeTimeoutSeconds: option(
    integer(1, 3600),
    30,
    'Time without progress of its send buffer after which a connection is closed.',
  ),
  workers: option(
    processes(64),
    1,
    'Number of processes that share the port and the load; auto: one per core. They share the engine, the limits on connections, and the metrics.',
  ),
  drainSeconds: liveOption(
    integer(0, 3600),
    2,
    'At shutdown, the time over which clients are asked to disconnect, one after the other. Each is asked to reconnect within the same time, or 2 s if that is longer.',
  ),
  shutdownGraceSeconds: liveOption(
    integer(0, 3600),
    5,
    'At shutdown, the time after that for connections and running requests to end.',
  ),
  readyLoopDelayMaxMs: liveOption(
    integer(10, 60_000),
    5000,
    'Longest delay of the event loop within 10 s with which the gateway is still ready.',
  ),
} as const;
