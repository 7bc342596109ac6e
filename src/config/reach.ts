import ipaddr from 'ipaddr.js';
import { isAddress } from './values.ts';

/** The URL at which a client on this machine reaches a gateway that listens there, without a slash at the end. */
export function urlToReach(host: string, port: number, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${hostToReach(host)}:${port}`;
}

/** The host as it is written in a URL. A gateway on all addresses is reached at loopback. */
export function hostToReach(host: string): string {
  if (!isAddress(host)) return host;
  const address = ipaddr.parse(host);
  if (address.range() === 'unspecified') return address.kind() === 'ipv4' ? '127.0.0.1' : '[::1]';
  return address.kind() === 'ipv4' ? host : `[${host}]`;
}
