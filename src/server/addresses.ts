import type { Config } from '../config.ts';
import type { ListeningPorts } from './running.ts';

/** Further URLs of a gateway; absent: it does not listen there. */
export interface OtherAddresses {
  readonly adminUrl?: string;
  readonly unixSocket?: string;
  /** The URL of the port for the PROXY protocol. */
  readonly proxyUrl?: string;
  /** The URL of the port of the older system. */
  readonly compatUrl?: string;
}

export interface Addresses extends OtherAddresses {
  readonly url: string;
}

export function addressesOf(
  config: Config,
  { host, port, adminPort, compatPort, proxyPort }: ListeningPorts & { readonly host: string },
): Addresses {
  return {
    url: urlOf(schemeOf(config), host, port),
    ...(adminPort !== undefined && { adminUrl: urlOf('http', config.adminHost || host, adminPort) }),
    ...(config.unixSocket !== '' && { unixSocket: config.unixSocket }),
    ...(proxyPort !== undefined && { proxyUrl: urlOf('http', host, proxyPort) }),
    ...(compatPort !== undefined && { compatUrl: urlOf('ws', host, compatPort) }),
  };
}

export function schemeOf({ tlsCertFile }: Config): 'http' | 'https' {
  return tlsCertFile === '' ? 'http' : 'https';
}

function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
