import { expect, test } from 'vitest';
import { requestedHost } from '../../src/auth/requested-host.ts';
import { request } from './request.ts';

const requestedHostOf = requestedHost((peer) => peer === '127.0.0.2');
const asked = (peerAddress: string, host: string, scheme = '') =>
  requestedHostOf(
    request({ peerAddress, headers: { 'x-forwarded-host': host, 'x-forwarded-proto': scheme } }),
  );

test.each([
  ['127.0.0.2', 'dash.example', '', 'dash.example', false],
  ['127.0.0.2', 'dash.example', 'https', 'dash.example', true],
  ['127.0.0.2', 'dash.example', 'HTTPS', 'dash.example', true],
  ['127.0.0.2', 'dash.example', 'http', 'dash.example', false],
  ['127.0.0.2', '', 'https', 'localhost:8080', true],
  ['127.0.0.2', '', '', 'localhost:8080', false],
  // What a proxy adds stands after what the client made up.
  ['127.0.0.2', 'evil.example, dash.example', 'https,http', 'dash.example', false],
  ['127.0.0.1', 'dash.example', 'https', 'localhost:8080', false],
])('from %s, for %j by %j: %s, secure: %s', (peer, forwarded, scheme, host, isSecure) => {
  expect(asked(peer, forwarded, scheme)).toEqual({ host, isSecure });
});
