import type { Addresses, OtherAddresses } from '../server/addresses.ts';

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
