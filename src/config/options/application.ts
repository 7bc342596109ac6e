import { bytes, integer, isHookUrl, list, secretText, text } from '../values.ts';
import { KiB, liveOption, MiB, option, unless } from './option.ts';

const hookUrl = text(
  'URL',
  (value) => value === '' || isHookUrl(value),
  'must be an http or https URL without user, password and fragment',
);

/** Hooks of the application. */
export const applicationOptions = {
  hookConnect: liveOption(
    hookUrl,
    '',
    'URL of the connect hook: admits or refuses each connection, and may set its user.',
  ),
  hookSubscribe: liveOption(
    hookUrl,
    '',
    'URL of the subscribe hook: allows or refuses each subscription and each read of a topic.',
  ),
  hookPublish: liveOption(
    hookUrl,
    '',
    'URL of the publish hook: allows or refuses each publication of a client.',
  ),
  hookCall: liveOption(hookUrl, '', 'URL that handles the calls of clients.'),
  hookEvents: liveOption(
    hookUrl,
    '',
    'URL that receives events of clients (connected, disconnected, subscribed, unsubscribed) and of topics (occupied, vacated).',
  ),
  hookSecret: liveOption(
    secretText(32),
    undefined,
    'Secret for the signature of requests to these URLs (HMAC-SHA256); at least 32 bytes.',
    { secret: true },
  ),
  hookHeaders: liveOption(
    list(
      'NAME',
      unless((item) => /^[a-z0-9-]{1,64}$/.test(item), 'must be names of headers in small letters'),
    ),
    [],
    'Headers of a client’s request to pass to the connect hook, such as cookie.',
    { flag: '--hook-header' },
  ),
  hookFailOpen: liveOption(
    list(
      'HOOK',
      unless(
        (item) => ['connect', 'subscribe', 'publish'].includes(item),
        'must be of connect, subscribe, publish',
      ),
    ),
    [],
    'Hooks to ignore while they fail: clients may then do what they could without the hook. By default they are refused.',
  ),
  hookTimeoutMs: liveOption(
    integer(10, 60_000),
    3000,
    'Timeout of a request to a hook, including its time in the queue.',
  ),
  callTimeoutMs: liveOption(
    integer(10, 300_000),
    10_000,
    'Timeout of a call, including its time in the queue.',
  ),
  hookConcurrency: liveOption(
    integer(1, 10_000),
    64,
    'Maximum concurrent requests to each hook; further ones wait.',
  ),
  eventQueueMaxBytes: option(
    bytes(64 * KiB, 2 ** 40),
    8 * MiB,
    'Maximum size of the queue of unacknowledged events. When it overflows, all of it is dropped and the next batch says resync.',
  ),
} as const;
