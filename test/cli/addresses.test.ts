import { expect, test } from 'vitest';
import { readyText } from '../../src/cli/addresses.ts';
import { loadConfig } from '../../src/config.ts';
import { addressesOf } from '../../src/server/addresses.ts';

const ends = { close: async () => undefined, reload: async () => undefined };

test('one address is a line', () => {
  const addresses = addressesOf(loadConfig({}), { host: '::1', port: 8080, ...ends });
  expect(addresses).toEqual({ url: 'http://[::1]:8080' });
  expect(readyText(addresses)).toBe('Sluice is ready: http://[::1]:8080 (Ctrl-C ends it)\n');
});

test('each listener has a line of its own, with the port that it got', () => {
  const flags = {
    tlsCertFile: '/c',
    tlsKeyFile: '/k',
    unixSocket: '/run/s',
    adminPort: 0,
    adminHost: '127.0.0.2',
    compat: ['b'],
    compatPort: 0,
    proxyPort: 0,
    trustedProxies: ['10.0.0.1'],
  };
  const server = {
    host: '127.0.0.1',
    port: 443,
    adminPort: 9090,
    compatPort: 8765,
    proxyPort: 8081,
    ...ends,
  };
  expect(readyText(addressesOf(loadConfig({ flags }), server)).split('\n')).toEqual([
    'Sluice is ready: https://127.0.0.1:443 (Ctrl-C ends it)',
    '  metrics and administration: http://127.0.0.2:9090',
    '  unix socket: /run/s',
    '  PROXY protocol: http://127.0.0.1:8081',
    '  older system b: ws://127.0.0.1:8765',
    '',
  ]);
});
