import { describe, expect, test } from 'vitest';
import { readProxyHeader, writeProxyHeader } from '../../src/transport/proxy-header.ts';

const read = (text: string) => readProxyHeader(Buffer.from(text, 'latin1'));
const request = 'GET / HTTP/1.1\r\n';

/** A header of version 2 by its parts. */
function version2(
  versionAndCommand: number,
  family: number,
  payload: Buffer,
  length = payload.length,
): Buffer {
  const head = Buffer.from('0d0a0d0a000d0a515549540a00000000', 'hex');
  head[12] = versionAndCommand;
  head[13] = family;
  head.writeUInt16BE(length, 14);
  return Buffer.concat([head, payload]);
}

const v4 = Buffer.from([203, 0, 113, 9, 127, 0, 0, 1, 1, 2, 0, 80]);

describe('version 1', () => {
  test.each([
    ['PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\n', '203.0.113.9'],
    ['PROXY TCP6 2001:db8::9 ::1 65535 443\r\n', '2001:db8::9'],
    ['PROXY UNKNOWN\r\n', undefined],
    ['PROXY UNKNOWN 203.0.113.9 127.0.0.1 1 2\r\n', undefined],
  ])('%j: %s', (line, source) => {
    expect(read(line + request)).toEqual({ bytes: line.length, source });
    for (let i = 0; i < line.length; i++) expect(read(line.slice(0, i))).toBe('incomplete');
  });

  test.each([
    request,
    '\r\nGET',
    'PROXY TCP4 203.0.113.9\r\n',
    'PROXY TCP4 2001:db8::9 ::1 1 2\r\n',
    'PROXY TCP4 203.0.113.999 127.0.0.1 1 2\r\n',
    'PROXY UNKNOWNS\r\n',
    `PROXY UNKNOWN ${'x'.repeat(200)}\r\n`,
  ])('not %j', (line) => {
    expect(read(line)).toBe('invalid');
  });

  test('ends within 107 bytes', () => {
    const line = (bytes: number) => `PROXY UNKNOWN ${'x'.repeat(bytes - 16)}\r\n`;
    expect(read(line(107))).toEqual({ bytes: 107, source: undefined });
    expect(read(line(107).slice(0, 106))).toBe('incomplete');
    expect(read(line(108))).toBe('invalid');
  });
});

describe('version 2', () => {
  const v6 = Buffer.concat([Buffer.from('20010db8000000000000000000000009', 'hex'), Buffer.alloc(20)]);

  test.each([
    ['IPv4', version2(0x21, 0x11, v4), '203.0.113.9'],
    ['IPv4 with extras', version2(0x21, 0x11, Buffer.concat([v4, Buffer.alloc(200)])), '203.0.113.9'],
    [
      '4 KiB of addresses and extras',
      version2(0x21, 0x11, Buffer.concat([v4, Buffer.alloc(4096 - v4.length)])),
      '203.0.113.9',
    ],
    ['IPv6', version2(0x21, 0x21, v6), '2001:db8::9'],
    ['a health check', version2(0x20, 0x11, v4), undefined],
    ['a unix socket', version2(0x21, 0x31, Buffer.alloc(216)), undefined],
    ['nothing', version2(0x21, 0x00, Buffer.alloc(0)), undefined],
  ])('of %s', (_, header, source) => {
    const bytes = Buffer.concat([header, Buffer.from(request)]);
    expect(readProxyHeader(bytes)).toEqual({ bytes: header.length, source });
    for (let i = 0; i < header.length; i++) expect(readProxyHeader(header.subarray(0, i))).toBe('incomplete');
  });

  test.each([
    ['another version', version2(0x31, 0x11, v4)],
    ['another command', version2(0x22, 0x11, v4)],
    ['too few bytes for its addresses', version2(0x21, 0x21, v4)],
    ['more than 4 KiB of addresses and extras', version2(0x21, 0x11, v4, 4097)],
  ])('not of %s', (_, header) => {
    expect(readProxyHeader(header)).toBe('invalid');
  });
});

test.each(['203.0.113.9', '2001:db8::9'])('what is written for %s is read again', (source) => {
  const bytes = writeProxyHeader(source);
  expect(readProxyHeader(bytes)).toEqual({ bytes: bytes.length, source });
});

test('a mapped address is written as IPv4', () => {
  expect(readProxyHeader(writeProxyHeader('::ffff:203.0.113.9'))).toMatchObject({ source: '203.0.113.9' });
});
