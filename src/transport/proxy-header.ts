import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** What a proxy has written before a connection's own bytes. */
export interface ProxyHeader {
  /** Its length. */
  readonly bytes: number;
  /** The address of the client; undefined: the connection is the proxy's own (a health check). */
  readonly source: string | undefined;
}

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const fixedBytes = 16;
/** Longest line of version 1, with its end. */
const lineMaxBytes = 107;
/** Proxies append names of certificates, checksums and identifiers to the addresses: hundreds of bytes at most. */
const extrasMaxBytes = 4096;

/** Reads a header of the PROXY protocol, version 1 or 2, at the beginning of these bytes. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  const known = Math.min(bytes.length, signature.length);
  if (signature.subarray(0, known).equals(bytes.subarray(0, known))) return readVersion2(bytes);
  return readVersion1(bytes);
}

function readVersion1(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  const text = bytes.toString('latin1', 0, lineMaxBytes);
  const end = text.indexOf('\r\n');
  if (end === -1) {
    const mayBecomeOne = 'PROXY '.startsWith(text.slice(0, 6)) && bytes.length < lineMaxBytes;
    return mayBecomeOne ? 'incomplete' : 'invalid';
  }
  const line = text.slice(0, end);
  const header = { bytes: end + 2, source: undefined };
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return header;
  const [, family, source = ''] = /^PROXY TCP([46]) (\S+) \S+ \d{1,5} \d{1,5}$/.exec(line) ?? [];
  return family !== undefined && isIP(source) === Number(family) ? { ...header, source } : 'invalid';
}

/** Bytes of the two addresses and ports, and of one address, by the family. */
const families: Readonly<Record<number, { readonly both: number; readonly one: number }>> = {
  1: { both: 12, one: 4 },
  2: { both: 36, one: 16 },
};

function readVersion2(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  if (bytes.length < fixedBytes) return 'incomplete';
  const [version, command] = [bytes[12]! >> 4, bytes[12]! & 15];
  const length = bytes.readUInt16BE(14);
  if (version !== 2 || command > 1 || length > extrasMaxBytes) return 'invalid';
  const whole = fixedBytes + length;
  if (bytes.length < whole) return 'incomplete';
  const family = families[bytes[13]! >> 4];
  if (command === 0 || family === undefined) return { bytes: whole, source: undefined };
  if (length < family.both) return 'invalid';
  const address = bytes.subarray(fixedBytes, fixedBytes + family.one);
  return { bytes: whole, source: ipaddr.fromByteArray([...address]).toString() };
}

/** A header of version 2 with this address, and without anything that the library can't read. */
export function writeProxyHeader(source: string): Buffer {
  const address = ipaddr.process(source).toByteArray();
  const isV4 = address.length === 4;
  const head = Buffer.from([0x21, isV4 ? 0x11 : 0x21, 0, isV4 ? 12 : 36]);
  return Buffer.concat([signature, head, Buffer.from(address), Buffer.alloc(address.length + 4)]);
}
