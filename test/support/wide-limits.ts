import { type CapLimits, caps } from '../../src/sessions/admission/connection-caps.ts';
import type { ConnectionLimitsOptions } from '../../src/sessions/admission/connection-limits.ts';

/** Limits of connections that no test reaches by accident. */
export const wideLimits: ConnectionLimitsOptions = {
  ...(Object.fromEntries(caps.map(({ limit }) => [limit, 100_000])) as CapLimits),
  handshakesPerSecondPerIp: 100_000,
};
