import type { Config } from '../config.ts';
import type { RunningGateway } from './deps.ts';

/** Where a gateway is reached, besides its URL; absent: it does not listen there. */
interface OtherAddresses {
  readonly adminUrl?: string;
  readonly unixSocket?: string;
  /** Of the port for the PROXY protocol. */
  readonly proxyUrl?: string;
  /** Of the port of the older system. */
  readonly compatUrl?: string;
}

export interface Addresses extends OtherAddresses {
  readonly url: string;
}

/** The addresses that the lines at the start name. */
export function addressesOf(
  config: Config,
  { host, port, adminPort, compatPort, proxyPort }: RunningGateway,
): Addresses {
  return {
    url: urlOf(schemeOf(config), host, port),
    ...(adminPort !== undefined && { adminUrl: urlOf('http', config.adminHost || host, adminPort) }),
    ...(config.unixSocket !== '' && { unixSocket: config.unixSocket }),
    ...(proxyPort !== undefined && { proxyUrl: urlOf('http', host, proxyPort) }),
    ...(compatPort !== undefined && { compatUrl: urlOf('ws', host, compatPort) }),
  };
}

const labels: Readonly<Record<keyof OtherAddresses, string>> = {
  adminUrl: 'metrics and administration',
  unixSocket: 'unix socket',
  proxyUrl: 'PROXY protocol',
  compatUrl: 'older system b',
};

/** For people: a line, and an indented one for each other address. */
export function readyText({ url, ...others }: Addresses): string {
  const more = Object.entries(others).map(
    ([name, address]) => `  ${labels[name as keyof OtherAddresses]}: ${address}\n`,
  );
  return `Sluice is ready: ${url} (Ctrl-C ends it)\n${more.join('')}`;
}

export function schemeOf({ tlsCertFile }: Config): 'http' | 'https' {
  return tlsCertFile === '' ? 'http' : 'https';
}

function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
