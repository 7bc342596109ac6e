import type { ConnectionLimitsOptions } from '../../src/sessions/admission/connection-limits.ts';

/** Limits of connections that no test reaches by accident. */
export const wideLimits: ConnectionLimitsOptions = {
  connectionsMax: 100_000,
  connectionsMaxPerIp: 100_000,
  unauthenticatedMaxPerIp: 100_000,
  connectionsMaxPerUser: 100_000,
  handshakesPerSecondPerIp: 100_000,
};
