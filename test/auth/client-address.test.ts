import { describe, expect, test } from 'vitest';
import { addressKey, clientAddress, isLoopbackAddress } from '../../src/auth/client-address.ts';

test.each([
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['::1', true],
  ['0000:0000:0000:0000:0000:0000:0000:0001', true],
  ['::ffff:127.0.0.1', true],
  ['0000:0000:0000:0000:0000:ffff:7f00:0001', true],
  ['128.0.0.1', false],
  ['10.0.0.1', false],
  ['::2', false],
  ['127', false],
  ['localhost', false],
  ['', false],
])('%j is loopback: %j', (address, loopback) => {
  expect(isLoopbackAddress(address)).toBe(loopback);
});

describe('the key that connections are counted by', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['0000:0000:0000:0000:0000:ffff:c000:0207', '192.0.2.7'],
    ['2001:db8:1:2:aaaa::1', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002:bbbb:0000:0000:0002', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
    // Translated by NAT64, and by a prefix of an operator's own, whose length is not known.
    ['64:ff9b::c000:0207', '192.0.2.7'],
    ['0064:ff9b:0000:0000:0000:0000:c000:0208', '192.0.2.8'],
    ['64:ff9b:1::c000:0207', '64:ff9b:1::/64'],
    ['unix socket', 'unix socket'],
  ])('of %s is %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});

describe('behind trusted proxies', () => {
  const client = clientAddress(['10.0.0.0/8', '2001:db8::1']);

  test.each([
    ['an untrusted peer speaks for itself only', '192.0.2.1', '203.0.113.9', '192.0.2.1'],
    ['no header', '10.0.0.1', '', '10.0.0.1'],
    ['one proxy', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['two proxies', '10.0.0.1', '203.0.113.9, 10.0.0.2', '203.0.113.9'],
    ['what the client made up is further left', '10.0.0.1', '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['a made-up proxy does not help it', '10.0.0.1', '1.1.1.1, 10.9.9.9, 203.0.113.9', '203.0.113.9'],
    ['all are proxies', '10.0.0.1', '10.0.0.3,10.0.0.2', '10.0.0.3'],
    ['an entry that is no address', '10.0.0.1', '203.0.113.9, unknown', '10.0.0.1'],
    ['an entry that is hardly an address', '10.0.0.1', '127', '10.0.0.1'],
    ['ports', '10.0.0.1', '203.0.113.9:4711', '203.0.113.9'],
    ['IPv6 with port', '2001:db8::1', '[2001:db8::9]:4711', '2001:db8::9'],
    ['a mapped peer', '::ffff:10.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
    ['a longer spelling', '2001:0db8:0000:0000:0000:0000:0000:0001', '203.0.113.9', '203.0.113.9'],
    ['a peer that is no address', '', '203.0.113.9', ''],
  ])('%s', (_, peer, forwardedFor, expected) => {
    expect(client({ peerAddress: peer, forwardedFor })).toBe(expected);
  });

  test('a mapped range is the IPv4 range', () => {
    const client = clientAddress(['::ffff:10.0.0.0/104']);
    expect(client({ peerAddress: '10.1.2.3', forwardedFor: '203.0.113.9' })).toBe('203.0.113.9');
  });

  test('without trusted proxies the header counts for nothing', () => {
    const client = clientAddress([]);
    expect(client({ peerAddress: '127.0.0.1', forwardedFor: '203.0.113.9' })).toBe('127.0.0.1');
  });
});
