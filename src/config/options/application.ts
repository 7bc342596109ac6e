import { bytes, integer, isHookUrl, list, secretText, text } from '../values.ts';
import { KiB, MiB, option, unless } from './option.ts';

const hookUrl = text(
  'URL',
  (value) => value === '' || isHookUrl(value),
  'must be an http or https URL without user, password and fragment',
);

/** Hooks of the application. */
export const applicationOptions = {
  hookConnect: option(
    hookUrl,
    '',
    'URL of the connect hook: admits or refuses each connection, and may set its user.',
    { reloads: true },
  ),
  hookSubscribe: option(
    hookUrl,
    '',
    'URL of the subscribe hook: allows or refuses each subscription and each read of a topic.',
    { reloads: true },
  ),
  hookPublish: option(
    hookUrl,
    '',
    'URL of the publish hook: allows or refuses each publication of a client.',
    { reloads: true },
  ),
  hookCall: option(hookUrl, '', 'URL that handles the calls of clients.', { reloads: true }),
  hookEvents: option(
    hookUrl,
    '',
    'URL that receives events of clients (connected, disconnected, subscribed, unsubscribed) and of topics (occupied, vacated).',
    { reloads: true },
  ),
  hookSecret: option(
    secretText(32),
    undefined,
    'Secret for the signature of requests to these URLs (HMAC-SHA256); at least 32 bytes.',
    { reloads: true, secret: true },
  ),
  hookHeaders: option(
    list(
      'NAME',
      unless((item) => /^[a-z0-9-]{1,64}$/.test(item), 'must be names of headers in small letters'),
    ),
    [],
    'Headers of a client’s request to pass to the connect hook, such as cookie.',
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
    'Hooks to ignore while they fail: clients may then do what they could without the hook. By default they are refused.',
    { reloads: true },
  ),
  hookTimeoutMs: option(
    integer(10, 60_000),
    3000,
    'Timeout of a request to a hook, including its time in the queue.',
    { reloads: true },
  ),
  callTimeoutMs: option(integer(10, 300_000), 10_000, 'Timeout of a call, including its time in the queue.', {
    reloads: true,
  }),
  hookConcurrency: option(
    integer(1, 10_000),
    64,
    'Maximum concurrent requests to each hook; further ones wait.',
    { reloads: true },
  ),
  eventQueueMaxBytes: option(
    bytes(64 * KiB, 2 ** 40),
    8 * MiB,
    'Maximum size of the queue of unacknowledged events. When it overflows, all of it is dropped and the next batch says resync.',
  ),
} as const;
