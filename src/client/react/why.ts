import type { ClientError } from '../index.ts';

const words: Readonly<Record<string, string>> = {
  gateway_unreachable: 'the server does not respond',
  timeout: 'the server does not respond in time',
  heartbeat_timeout: 'the server is silent',
  connection_failed: 'the connection was lost',
  not_a_gateway: 'another server responds',
  upgrade_failed: 'a proxy refuses WebSockets',
  http_version: 'a proxy speaks HTTP/1.0',
  answer_hidden: 'the server refuses this page, perhaps its origin',
  origin_not_allowed: 'the server does not allow this page’s origin',
  token_failed: 'there is no token',
  shutting_down: 'the server is restarting',
};

/** Why there is no connection, in words for people. */
export function whyOf({ code, message }: ClientError): string {
  if (globalThis.navigator?.onLine === false) return 'this device is offline';
  // Of these two only the message says why.
  const reason = /^(connection_ended|retries_over)$/.test(code) ? message : code;
  return words[code] ?? reason.replaceAll('_', ' ');
}
