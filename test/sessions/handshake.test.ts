import { expect, test } from 'vitest';
import { anonymousIdentity } from '../../src/auth/identity.ts';
import { Handshake, type HandshakeOptions, type HandshakeRequest } from '../../src/sessions/handshake.ts';

const handshake = new Handshake({
  requestAccess: { upgradeProblem: () => undefined },
  identityOf: () => anonymousIdentity,
  clientAddress: () => '192.0.2.1',
  connectionLimits: { handshakeProblem: () => undefined },
  isDraining: () => false,
  refused: () => undefined,
} as unknown as HandshakeOptions);

const request = (path: string) => ({ path, query: '', header: () => '' }) as unknown as HandshakeRequest;

test.each([
  ['/ws', undefined],
  ['/ws/', undefined],
  ['/ws/a%3Ab', 'a:b'],
  ['/ws/monitoring/web-01', 'server:web-01'],
  ['/stream', undefined],
  ['/stream/a', 'a'],
  ['/stream/monitoring/web-01', 'server:web-01'],
])('%s names the topic %s, whatever the first segment of the transport is', (path, topic) => {
  expect(handshake.ask(request(path))).toMatchObject({ topic });
});

test.each([
  ['/ws/a/b', 'not_found'],
  ['/stream/a/b', 'not_found'],
  ['/stream/%E0%A4%A', 'invalid_topic'],
])('%s is refused with %s', (path, code) => {
  expect(handshake.ask(request(path))).toMatchObject({ code });
});
