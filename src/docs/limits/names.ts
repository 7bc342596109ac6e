import type { CloseCode, ErrorCode } from '../../errors.ts';

// Names that several limits share: files of tests, and what counts that a limit was exceeded.

export const caps = 'e2e/caps.test.ts';
export const abuse = 'e2e/abuse.test.ts';
export const http = 'transport/uws/http.test.ts';
export const places = 'sessions/connection-limits.test.ts';
export const limits = 'security/limits.test.ts';
export const broker = 'topics/broker.test.ts';
export const ring = 'topics/ring.test.ts';
export const session = 'sessions/session.test.ts';
export const shares = 'fanout/view-shares.test.ts';
export const gate = 'hooks/gate.test.ts';
export const bounds = 'protocol/limits.test.ts';

export const rejected = (code: ErrorCode) => `connections_rejected_total{reason="${code}"}`;
export const limited = (scope: 'connection' | 'handshake' | 'command' | 'publish' | 'http') =>
  `rate_limited_total{scope="${scope}"}`;
export const failed = (code: ErrorCode) => `command_errors_total{code="${code}"}`;
export const unsubscribed = (code: ErrorCode) => `subscription_errors_total{code="${code}"}`;
export const unpublished = (code: ErrorCode) => `publish_errors_total{code="${code}"}`;
export const ended = (code: CloseCode) => `connections_closed_total{reason="${code}"}`;
export const responded = (status: number) => `http_requests_total{status="${status}"}`;
