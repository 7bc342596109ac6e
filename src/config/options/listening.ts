import { integer, optionalInteger, text } from '../values.ts';
import { filePath, option } from './option.ts';

const isHostText = (value: string) => /^[A-Za-z0-9.:_-]+$/.test(value);

/** Where the gateway listens. */
export const listeningOptions = {
  host: option(
    text('ADDRESS', isHostText, 'must be an IP address or the name of a host'),
    '127.0.0.1',
    'Address to listen on. Anything but loopback needs API keys or a token secret.',
  ),
  port: option(integer(0, 65_535), 8080, 'Port to listen on; 0 takes a free one.'),
  tlsCertFile: option(
    filePath,
    '',
    'Certificate of the port (PEM, with its chain): it speaks TLS then. Read again when it changes.',
  ),
  tlsKeyFile: option(filePath, '', 'The private key of the certificate (PEM).'),
  unixSocket: option(
    filePath,
    '',
    'Unix socket to listen on, besides the port, for a proxy on this machine: its X-Forwarded-For is believed.',
  ),
  unixMode: option(
    text('MODE', (value) => /^0?[0-7]{3}$/.test(value), 'must be three octal digits, like 660'),
    '660',
    'Permissions of the unix socket, in octal digits.',
  ),
  proxyPort: option(
    optionalInteger(0, 65_535),
    undefined,
    'A port of its own for connections of trusted proxies that begin with a header of the PROXY protocol, version 1 or 2. 0 takes a free one.',
  ),
  adminPort: option(
    optionalInteger(0, 65_535),
    undefined,
    'A port of its own for /metrics and the administration, which the public port then does not have; it speaks plain HTTP. 0 takes a free one.',
  ),
  adminHost: option(
    text(
      'ADDRESS',
      (value) => value === '' || isHostText(value),
      'must be an IP address or the name of a host',
    ),
    '',
    'Address of the admin port; by default that of the port.',
  ),
  runFile: option(
    text('FILE', (value) => !value.includes('\0'), 'must be the path of a file'),
    '',
    'File that says where the gateway listens, while it runs: sluice health and sluice publish read it.',
  ),
} as const;
