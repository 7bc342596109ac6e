import type { ConnectionLimitsOptions } from '../../src/sessions/connection-limits.ts';

/** Limits of connections that no test reaches by accident. */
export const wideLimits: ConnectionLimitsOptions = {
  maxConnections: 100_000,
  maxConnectionsPerIp: 100_000,
  maxUnauthenticatedPerIp: 100_000,
  maxConnectionsPerUser: 100_000,
  handshakesPerSecondPerIp: 100_000,
};
