import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { isAddress } from '../config/values.ts';

type Address = ReturnType<typeof ipaddr.process>;

/** IPv4-mapped IPv6 becomes IPv4. In full notation only: the parser would take `127` for an address. */
function parseAddress(text: string): Address | undefined {
  return isAddress(text) ? ipaddr.process(text) : undefined;
}

export function isLoopbackAddress(text: string): boolean {
  // Nearly every local request has one of these two spellings.
  if (text === '127.0.0.1' || text === '::1') return true;
  if (isIPv4(text)) return text.startsWith('127.');
  return parseAddress(text)?.range() === 'loopback';
}

/** The prefix under which a server that has only IPv6 sees clients that have only IPv4 (RFC 6052). */
const translated = ipaddr.parseCIDR('64:ff9b::/96');

/**
 * The key that connections are counted by: the address, or the /64 of an IPv6 address, because one customer usually has
 * all of it. IPv4-mapped and translated addresses count as IPv4. A text that is not an address is its own key.
 */
export function addressKey(text: string): string {
  if (isIPv4(text)) return text;
  const address = parseAddress(text);
  if (address === undefined) return text;
  if (address.kind() === 'ipv4') return address.toString();
  const bytes = address.toByteArray();
  if (address.match(translated)) return bytes.slice(-4).join('.');
  const network = bytes.map((byte, index) => (index < 8 ? byte : 0));
  return `${ipaddr.fromByteArray(network).toString()}/64`;
}

/** The hops of a request. `forwardedFor` is read only where it is needed. */
interface ClientHops {
  readonly peerAddress: string;
  /** All lines of `X-Forwarded-For` in order, joined by commas: a proxy may add a line after one from the client. */
  readonly forwardedFor: string;
}

/** The address of the client. */
export type ClientAddress = (request: ClientHops) => string;

/**
 * Reads the hops from the right, starting at the peer, while the hop is a trusted proxy. The first other hop is the
 * client: entries further left could be made up. An entry that is not an address ends the search at the proxy that
 * wrote it. The peer of a unix socket (whose address is empty) is a trusted proxy: `hasUnixSocket`.
 */
export function clientAddress(proxies: readonly string[], hasUnixSocket = false): ClientAddress {
  const ranges = proxies.map(parseRange);
  const isTrusted = (address: Address) => isIn(ranges, address);
  return (request) => {
    const { peerAddress } = request;
    const isUnix = hasUnixSocket && peerAddress === '';
    if (proxies.length === 0 && !isUnix) return peerAddress;
    const { forwardedFor } = request;
    if (forwardedFor === '') return isUnix ? unixPeer : peerAddress;
    let client = parseAddress(peerAddress);
    if (client === undefined && !isUnix) return peerAddress;
    const hops = forwardedFor.split(',');
    while (hops.length > 0 && (client === undefined || isTrusted(client))) {
      const next = parseAddress(withoutPort(hops.pop()!.trim()));
      if (next === undefined) break;
      client = next;
    }
    return client?.toString() ?? unixPeer;
  };
}

/** The address of a client of the unix socket, where no header names it. */
const unixPeer = 'unix';

/** Whether a peer is one of these proxies, whose connections belong to many clients, or that of a unix socket. */
export function trustedPeer(
  trustedProxies: readonly string[],
  hasUnixSocket = false,
): (peerAddress: string) => boolean {
  const ranges = trustedProxies.map(parseRange);
  return (peerAddress) => {
    if (peerAddress === '') return hasUnixSocket;
    const address = ranges.length === 0 ? undefined : parseAddress(peerAddress);
    return address !== undefined && isIn(ranges, address);
  };
}

type Range = [Address, number];

function isIn(ranges: readonly Range[], address: Address): boolean {
  return ranges.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
}

/** `[2001:db8::1]:4711` and `192.0.2.1:4711`, as some proxies write. */
function withoutPort(hop: string): string {
  const match = /^\[([^\]]+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(hop);
  return match?.[1] ?? match?.[2] ?? hop;
}

function parseRange(range: string): Range {
  if (range.includes('/')) return mappedRange(ipaddr.parseCIDR(range));
  const address = ipaddr.process(range);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

/** `::ffff:10.0.0.0/104` means 10.0.0.0/8, as the addresses that it is compared with are IPv4 by then. */
function mappedRange([network, bits]: Range): Range {
  if (network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && bits >= 96) {
    return [network.toIPv4Address(), bits - 96];
  }
  return [network, bits];
}
