import { apiKeyList } from '../api-keys.ts';
import { originFault } from '../origins.ts';
import { boolean, integer, isAddressRange, isKeysUrl, list, secretText, text } from '../values.ts';
import { option, unless } from './option.ts';

/** Who may connect, and as whom. */
export const accessOptions = {
  apiKeys: option(
    apiKeyList,
    [],
    'Keys that may publish, read and administrate, as `NAME=sha256:HEX` (`sluice key` makes one) or in plain text. In a file also objects of `name`, `sha256` or `key`, `scopes` (publish, read, admin) and `topics`.',
    { reloads: true, secret: true, flag: '--api-key' },
  ),
  tokenSecret: option(
    secretText(32),
    undefined,
    'Secret that JSON Web Tokens (HS256) are signed with; at least 32 bytes.',
    { reloads: true, secret: true },
  ),
  tokenKeysFile: option(
    text('FILE', (value) => !value.includes('\0'), 'must be the path of a file'),
    '',
    'File with the public keys that JSON Web Tokens (RS256, ES256, EdDSA) are signed with: a JSON Web Key Set, or PEM. Read again when it changes.',
    { reloads: true },
  ),
  tokenKeysUrl: option(
    text(
      'URL',
      (value) => value === '' || isKeysUrl(value),
      'must be an https URL, or an http URL of this machine',
    ),
    '',
    'URL of a JSON Web Key Set with the public keys of tokens, as identity providers publish it. Loaded again every 10 minutes, and for a key that is not known.',
    { reloads: true },
  ),
  tokenAlgorithms: option(
    list(
      'ALG',
      unless(
        (item) => ['HS256', 'RS256', 'ES256', 'EdDSA'].includes(item),
        'must be of HS256, RS256, ES256, EdDSA',
      ),
    ),
    [],
    'Algorithms that tokens may be signed with. By default HS256 where there is a secret, and RS256, ES256, EdDSA where there are public keys.',
    { reloads: true },
  ),
  tokenIssuer: option(
    text('TEXT', () => true, 'must be a text'),
    '',
    'What the claim iss of a token must be. By default it is not looked at.',
    { reloads: true },
  ),
  tokenAudience: option(
    list(
      'TEXT',
      unless((item) => item !== '', 'must be texts'),
    ),
    [],
    'What the claim aud of a token must hold, one of these. By default it is not looked at.',
    { reloads: true },
  ),
  tokenClockToleranceSeconds: option(
    integer(0, 300),
    5,
    'How far the clocks of the issuer of tokens and of this machine may be apart.',
    { reloads: true },
  ),
  anonymous: option(
    boolean,
    false,
    'With API keys or a token secret: clients without a credential may read (what the namespaces allow), too.',
    { reloads: true },
  ),
  origins: option(
    list('ORIGIN', originFault),
    [],
    'Origins of pages and apps that may connect, besides the gateway’s own (https://a.example, capacitor://localhost, null); * allows all.',
    { reloads: true, flag: '--origin' },
  ),
  trustedProxies: option(
    list('CIDR', unless(isAddressRange, 'must be IP addresses or ranges like 10.0.0.0/8')),
    [],
    'Proxies whose X-Forwarded-For, -Host and -Proto are believed; requests through them never count as this machine’s own.',
    { reloads: true, flag: '--trusted-proxy' },
  ),
} as const;
