import { integer, isAddress, optionalPort, text } from '../values.ts';
import { filePath, option } from './option.ts';

/** A name does not end in a number: what does is an address, or a mistake in one. */
const isHostText = (value: string) =>
  isAddress(value) || (/^[A-Za-z0-9._-]{1,253}$/.test(value) && !/(^|\.)\d+\.?$/.test(value));

/** Linux has no room for more: Node would cut it off, and uWebSockets.js writes past the end of its buffer. */
const isSocketPath = (value: string) => !value.includes('\0') && Buffer.byteLength(value) <= 107;

/** Where the gateway listens. */
export const listeningOptions = {
  host: option(
    text('ADDRESS', isHostText, 'must be an IP address or the name of a host'),
    '127.0.0.1',
    'Address to listen on. Any but loopback requires API keys or a token secret.',
  ),
  port: option(integer(0, 65_535), 8080, 'Port to listen on; 0 picks a free one.'),
  tlsCertFile: option(
    filePath,
    '',
    'TLS certificate with its chain (PEM); turns TLS on. Reloaded when it changes.',
  ),
  tlsKeyFile: option(filePath, '', 'Private key of the TLS certificate (PEM).'),
  unixSocket: option(
    text('FILE', isSocketPath, 'must be the path of a file, of at most 107 bytes'),
    '',
    'Additional unix socket to listen on, for a proxy on this machine, whose X-Forwarded-For is trusted.',
  ),
  unixMode: option(
    text('MODE', (value) => /^0?[0-7]{3}$/.test(value), 'must be three octal digits, like 660'),
    '660',
    'Permissions of the unix socket, in octal.',
  ),
  proxyPort: option(
    optionalPort(),
    undefined,
    'Additional port for trusted proxies that speak the PROXY protocol, version 1 or 2; 0 picks a free one.',
  ),
  adminPort: option(
    optionalPort(),
    undefined,
    'Separate port for /metrics and administration, in plain HTTP; the public port then no longer serves them. 0 picks a free one.',
  ),
  adminHost: option(
    text(
      'ADDRESS',
      (value) => value === '' || isHostText(value),
      'must be an IP address or the name of a host',
    ),
    '',
    'Address of the admin port. Default: that of the port.',
  ),
  runFile: option(
    filePath,
    '',
    'File to which the gateway writes its address while it runs, for sluice health and sluice publish.',
  ),
} as const;
