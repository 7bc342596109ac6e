import type { Limit } from './limit.ts';
import { failed, gate } from './names.ts';

export const applicationLimits: readonly Limit[] = [
  {
    what: 'questions to a hook at the same time',
    at: 'hookConcurrency',
    of: 'hook',
    over: 'queued, at most 1000; then as if the hook had failed',
    codes: ['application_unavailable'],
    countedBy: ['hook_errors_total{reason="overloaded"}', 'hooks_waiting'],
    tests: [[gate, 'questions of many clients']],
  },
  {
    what: 'questions asked or queued',
    at: { value: '32' },
    of: 'key, user, session or address',
    over: 'refused',
    codes: ['rate_limited'],
    countedBy: [failed('rate_limited')],
    tests: [
      [gate, 'questions of one client'],
      ['security/hooks.test.ts', 'that hangs is asked at most 32 questions of one client at a time'],
    ],
  },
  {
    what: 'the same; if fewer places are free, half of the free ones, so that others find a place',
    at: { value: '250' },
    of: 'address, of its clients without key or user together',
    over: 'refused',
    codes: ['rate_limited'],
    countedBy: [failed('rate_limited')],
    tests: [
      [gate, 'questions of one address'],
      [gate, 'questions of those that ask all they can'],
    ],
  },
  {
    what: 'time of a hook, including its time in the queue',
    at: 'hookTimeoutMs',
    of: 'question',
    over: 'refused, or admitted if it fails open',
    codes: ['application_unavailable'],
    countedBy: ['hook_errors_total{reason="timeout"}'],
    tests: [[gate, 'time of a question']],
  },
  {
    what: 'time of a call',
    at: 'callTimeoutMs',
    of: 'question',
    over: 'refused',
    codes: ['application_unavailable'],
    countedBy: ['hook_errors_total{reason="timeout"}'],
    tests: [[gate, 'time of a question']],
  },
  {
    what: 'the application’s answer to a hook; to a call, two payloads more',
    at: { value: '64 KiB' },
    of: 'question',
    over: 'as if the hook had failed',
    codes: ['application_unavailable'],
    countedBy: ['hook_errors_total{reason="too_large"}'],
    tests: [
      ['security/hooks.test.ts', 'whose answer has %i bytes of 64 KiB is believed: %j'],
      ['security/hooks.test.ts', 'that returns 100 MB'],
    ],
  },
  {
    what: 'events that the application has not acknowledged',
    at: 'eventQueueMaxBytes',
    of: 'the gateway',
    over: 'all are dropped, and the next batch says resync',
    countedBy: ['events_dropped_total', 'event_queue_bytes'],
    tests: [
      [
        'hooks/events.test.ts',
        'holds as many bytes as it may, and one more drops all and makes the next batch a resync of that moment',
      ],
    ],
  },
  {
    what: 'a document of public keys; its keys; the time to load it',
    at: { value: '256 KiB; 100; 5 s' },
    of: 'the gateway',
    over: 'the previous keys stay in use',
    codes: ['token_keys_unavailable'],
    countedBy: ['auth_failures_total{reason="token_keys_unavailable"}'],
    tests: [
      ['security/tokens.test.ts', 'a server of keys'],
      ['auth/token-keys.test.ts', 'that could never be loaded make tokens wait: the refusal passes'],
    ],
  },
  {
    what: 'loads of a URL’s keys because tokens name unknown ones',
    at: { value: '3 at once, one per 30 s' },
    of: 'the gateway',
    over: 'such tokens are refused',
    codes: ['unauthorized'],
    countedBy: ['auth_failures_total{reason="unauthorized"}'],
    tests: [
      [
        'auth/token-keys.test.ts',
        'are loaded three times for keys that are not known, and then once in the cooldown',
      ],
    ],
  },
  {
    what: 'verified tokens that are remembered',
    at: { value: '8 MiB' },
    of: 'the gateway',
    over: 'the oldest is verified anew',
    countedBy: [],
    tests: [['auth/verified-tokens.test.ts', 'of two tokens with 2000 bytes']],
  },
];
