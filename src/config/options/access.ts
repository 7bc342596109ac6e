import { apiKeyList } from '../api-keys.ts';
import { originFault } from '../origins.ts';
import { boolean, integer, isAddressRange, isKeysUrl, list, secretText, text } from '../values.ts';
import { filePath, liveOption, unless } from './option.ts';

/** Who may connect, and as whom. */
export const accessOptions = {
  apiKeys: liveOption(
    apiKeyList,
    [],
    'API keys that may publish, read and administer, as `NAME=sha256:HEX` (made by `sluice key`) or in plain text. In the file also as objects with `name`, `sha256` or `key`, `scopes` (publish, read, admin) and `topics`.',
    { secret: true, flag: '--api-key' },
  ),
  tokenSecret: liveOption(
    secretText(32),
    undefined,
    'Secret of JSON Web Tokens signed with HS256; at least 32 bytes.',
    { secret: true },
  ),
  tokenKeysFile: liveOption(
    filePath,
    '',
    'File with the public keys of JSON Web Tokens signed with RS256, ES256 or EdDSA: a JSON Web Key Set, or PEM. Reloaded when it changes.',
  ),
  tokenKeysUrl: liveOption(
    text(
      'URL',
      (value) => value === '' || isKeysUrl(value),
      'must be an https URL, or an http URL of this machine',
    ),
    '',
    'URL of a JSON Web Key Set with the public keys of tokens, as identity providers publish it. Reloaded every 10 minutes, and when a token names an unknown key.',
  ),
  tokenAlgorithms: liveOption(
    list(
      'ALG',
      unless(
        (item) => ['HS256', 'RS256', 'ES256', 'EdDSA'].includes(item),
        'must be of HS256, RS256, ES256, EdDSA',
      ),
    ),
    [],
    'Accepted signature algorithms of tokens. Default: HS256 if there is a secret; RS256, ES256 and EdDSA if there are public keys.',
  ),
  tokenIssuer: liveOption(
    text('TEXT', () => true, 'must be a text'),
    '',
    'Required value of the claim iss. Not checked by default.',
  ),
  tokenAudience: liveOption(
    list(
      'TEXT',
      unless((item) => item !== '', 'must be texts'),
    ),
    [],
    'Accepted values of the claim aud; a token needs one of them. Not checked by default.',
  ),
  tokenClockToleranceSeconds: liveOption(
    integer(0, 300),
    5,
    'Tolerated difference between the clocks of the token issuer and this machine.',
  ),
  anonymous: liveOption(
    boolean,
    false,
    'With API keys or a token secret: let clients without a credential read what their namespace allows.',
  ),
  origins: liveOption(
    list('ORIGIN', originFault),
    [],
    'Allowed origins of pages and apps, besides the gateway’s own (https://a.example, capacitor://localhost, null); * allows all.',
    { flag: '--origin' },
  ),
  trustedProxies: liveOption(
    list('CIDR', unless(isAddressRange, 'must be IP addresses or ranges like 10.0.0.0/8')),
    [],
    'Proxies whose X-Forwarded-For, -Host and -Proto headers are trusted. Requests through them are never treated as local.',
    { flag: '--trusted-proxy' },
  ),
} as const;
