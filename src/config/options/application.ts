import { bytes, integer, isHookUrl, list, secretText, text } from '../values.ts';
import { KiB, MiB, option, unless } from './option.ts';

const hookUrl = text(
  'URL',
  (value) => value === '' || isHookUrl(value),
  'must be an http or https URL without user, password and fragment',
);

/** Hooks of the application. */
export const applicationOptions = {
  hookConnect: option(hookUrl, '', 'URL that is asked about each connection: may it, and as whom.', {
    reloads: true,
  }),
  hookSubscribe: option(
    hookUrl,
    '',
    'URL that is asked about each subscription, and each reading of a topic.',
    { reloads: true },
  ),
  hookPublish: option(hookUrl, '', 'URL that is asked about each publication of a client.', {
    reloads: true,
  }),
  hookCall: option(hookUrl, '', 'URL that answers the calls of clients.', { reloads: true }),
  hookEvents: option(
    hookUrl,
    '',
    'URL that is told what clients do: connected, disconnected, subscribed, unsubscribed; topics occupied, vacated.',
    { reloads: true },
  ),
  hookSecret: option(
    secretText(32),
    undefined,
    'Secret by which requests to these URLs are signed (HMAC-SHA256); at least 32 bytes.',
    { reloads: true, secret: true },
  ),
  hookHeaders: option(
    list(
      'NAME',
      unless((item) => /^[a-z0-9-]{1,64}$/.test(item), 'must be names of headers in small letters'),
    ),
    [],
    'Headers of a client’s request that the connect hook is told, such as cookie.',
    { reloads: true, flag: '--hook-header' },
  ),
  hookFailOpen: option(
    list(
      'HOOK',
      unless(
        (item) => ['connect', 'subscribe', 'publish'].includes(item),
        'must be of connect, subscribe, publish',
      ),
    ),
    [],
    'Hooks whose failure lets clients do what they might without the hook. By default they are refused.',
    { reloads: true },
  ),
  hookTimeoutMs: option(
    integer(10, 60_000),
    3000,
    'Time that the application has to answer a hook, waiting included.',
    { reloads: true },
  ),
  callTimeoutMs: option(integer(10, 300_000), 10_000, 'The same for a call.', { reloads: true }),
  hookConcurrency: option(integer(1, 10_000), 64, 'Questions to each hook at the same time; others wait.', {
    reloads: true,
  }),
  eventQueueMaxBytes: option(
    bytes(64 * KiB, 2 ** 40),
    8 * MiB,
    'Events that the application has not taken yet. When there are more, all are dropped and the next batch says resync.',
  ),
} as const;
