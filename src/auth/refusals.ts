import type { ErrorCode, SluiceError } from '../errors.ts';
import { LineBudget } from '../log/line-budget.ts';
import type { WarningLog } from '../log.ts';

/**
 * Where a credential, a page or a client that meets a limit came from. A copy: the request may be gone when it is
 * logged.
 */
export interface Requester {
  /** The client's address, as trusted proxies report it. */
  readonly address: string;
  /** The origin of the page; empty: the request has none. */
  readonly origin: string;
  /** The id of the request. */
  readonly request?: string | undefined;
  /** By which name the gateway was asked; only where the origin is what was refused, as it was compared with it. */
  readonly host?: string;
  readonly session?: string;
  /** Who it is, where the error does not say it. */
  readonly user?: string | undefined;
  readonly key?: string | undefined;
}

export type Door = 'http' | 'upgrade' | 'connect' | 'connection' | 'command' | 'socket';

/** Limits that one client can meet so often that others notice it, by door and code: the options that set them. */
const limits: { readonly [Place in Door]?: { readonly [Code in ErrorCode]?: string } } = {
  socket: { rate_limited: 'httpConnectionsPerSecondPerIp', too_many_connections: 'httpConnectionsMax' },
  connection: {
    rate_limited: 'handshakesPerSecondPerIp',
    too_many_connections: 'connectionsMax',
    too_many_connections_from_ip: 'connectionsMaxPerIp',
    too_many_connections_of_user: 'connectionsMaxPerUser',
  },
  command: { rate_limited: 'commandsPerSecond' },
  http: { rate_limited: 'httpRequestsPerSecondPerIp, httpRequestsPerSecondPerUser' },
};

/**
 * Called for every credential and every origin that is refused, and for every client that meets one of these limits,
 * with the way by which it came.
 */
export type ReportRefusal = (door: Door, error: SluiceError, requester: Requester) => void;

/** For each code and door. */
const lineRate = { linesAtOnce: 10, everyMs: 10_000 };
/** A client can send any text as its origin and host: only the beginning is logged. */
const nameMaxLength = 200;

/**
 * Logs a line for each refusal, with the names that are known: the address, the page's origin, the user of a token with
 * a valid signature, the name of a key, and the limit. Never the credential. The number of lines is limited; the next
 * line says how many were left out.
 */
export function logRefusals(log: WarningLog, monotonicMs: () => number): ReportRefusal {
  const budget = new LineBudget(lineRate, monotonicMs);
  return (door, error, { address, origin, host, request, session, user, key }) => {
    const limit = limits[door]?.[error.code];
    if (limit === undefined && !error.isAuthFault) return;
    const unlogged = budget.take(`${door} ${error.code}`);
    if (unlogged === undefined) return;
    const fields = {
      door,
      code: error.code,
      limit,
      request,
      session,
      address,
      origin: shown(origin),
      host: shown(host),
      user: error.who?.user ?? shown(user),
      key: error.who?.key ?? key,
      ...unlogged,
    };
    log.warn(fields, `refused: ${error.message}`);
  };
}

function shown(name = ''): string | undefined {
  return name === '' ? undefined : name.slice(0, nameMaxLength);
}
