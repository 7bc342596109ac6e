import type { OptionName } from '../config.ts';
import type { CloseCode, ErrorCode } from '../errors.ts';

/** A limit: what it bounds and for whom, what becomes of what exceeds it, what counts that, and tests of it. */
export interface Limit {
  readonly what: string;
  /** The option that sets it, or its value where none does. */
  readonly at: OptionName | { readonly value: string };
  /** Who is charged. */
  readonly of: string;
  readonly over: string;
  /** What a client is told. */
  readonly codes: readonly (ErrorCode | CloseCode)[];
  /** `name` or `name{label="value"}`, without the prefix. */
  readonly countedBy: readonly string[];
  /** Below, at and above it: the file below `test/`, and text of a title there. */
  readonly tests: readonly (readonly [file: string, title: string])[];
}

export interface LimitGroup {
  readonly title: string;
  readonly limits: readonly Limit[];
}

/** Options with a number that limit nothing that a client can take. */
export const noLimits: readonly OptionName[] = [
  ...(['port', 'proxyPort', 'adminPort', 'compatPort', 'workers'] as const),
  ...(['tokenClockToleranceSeconds', 'drainSeconds', 'shutdownGraceSeconds', 'readyLoopDelayMaxMs'] as const),
  ...(['redisMinReplicas', 'redisTimeoutMs', 'redisNodeTimeoutMs', 'sourceHostIntervalMs'] as const),
  ...(['batchMaxDelayMs', 'compressMinBytes', 'dictionaryMinBytes'] as const),
];

const caps = 'e2e/caps.test.ts';
const abuse = 'e2e/abuse.test.ts';
const http = 'transport/uws/http.test.ts';
const places = 'sessions/connection-limits.test.ts';
const limits = 'security/limits.test.ts';
const broker = 'topics/broker.test.ts';
const ring = 'topics/ring.test.ts';
const session = 'sessions/session.test.ts';
const quota = 'fanout/view-quota.test.ts';
const gate = 'hooks/gate.test.ts';
const bounds = 'protocol/limits.test.ts';

const rejected = (code: ErrorCode) => `connections_rejected_total{reason="${code}"}`;
const limited = (scope: 'connection' | 'handshake' | 'command' | 'publish' | 'http') =>
  `rate_limited_total{scope="${scope}"}`;
const failed = (code: ErrorCode) => `command_errors_total{code="${code}"}`;
const unsubscribed = (code: ErrorCode) => `subscription_errors_total{code="${code}"}`;
const unpublished = (code: ErrorCode) => `publish_errors_total{code="${code}"}`;
const ended = (code: CloseCode) => `connections_closed_total{reason="${code}"}`;
const answered = (status: number) => `http_requests_total{status="${status}"}`;

/** WebSockets, streams and the sessions of polls are connections alike. */
const connections: readonly Limit[] = [
  {
    what: 'connections of all',
    at: 'connectionsMax',
    of: 'the gateway',
    over: 'refused before the upgrade, 503',
    codes: ['too_many_connections'],
    countedBy: [rejected('too_many_connections')],
    tests: [
      [places, 'there is a place below the cap of all connections, and none at it'],
      [caps, 'refuses before the upgrade with 503, when to come back, and JSON'],
      [limits, 'connections of all'],
      ['security/attacks.test.ts', 'handshakes get in up to the cap, to the last place, and none more'],
    ],
  },
  {
    what: 'connections of an address',
    at: 'connectionsMaxPerIp',
    of: 'address, /64 of IPv6, as trusted proxies tell it',
    over: 'refused before the upgrade, 429',
    codes: ['too_many_connections_from_ip'],
    countedBy: [rejected('too_many_connections_from_ip')],
    tests: [
      [places, 'the cap of one address leaves other addresses alone'],
      [caps, 'counts by what a trusted proxy says, and not by what others say'],
      [limits, 'connections of an address'],
    ],
  },
  {
    what: 'connections that have shown no credential yet, where one is needed',
    at: 'unauthenticatedMaxPerIp',
    of: 'address',
    over: 'refused before the upgrade, 429',
    codes: ['too_many_connections_from_ip'],
    countedBy: [rejected('too_many_connections_from_ip')],
    tests: [
      [places, 'have a cap of their own, and move to the other one'],
      ['e2e/access.test.ts', 'have a cap of their own per address'],
    ],
  },
  {
    what: 'time and bytes of such a connection',
    at: { value: '5 s, 64 KiB' },
    of: 'session',
    over: 'closed',
    codes: ['unauthorized'],
    countedBy: [ended('unauthorized')],
    tests: [
      ['sessions/unauthenticated.test.ts', 'a session that has not authenticated'],
      ['e2e/access.test.ts', 'are closed with 4501 when 5 s have passed'],
    ],
  },
  {
    what: 'connections of a user',
    at: 'connectionsMaxPerUser',
    of: 'user',
    over: 'refused before the upgrade where the token comes with it, 429; else in the reply to `connect`',
    codes: ['too_many_connections_of_user'],
    countedBy: [rejected('too_many_connections_of_user'), failed('too_many_connections_of_user')],
    tests: [
      [places, 'the cap of one user leaves other users alone'],
      [limits, 'connections of a user'],
      [caps, 'refuses the user by the token of connect, and the session stays who it was'],
      ['e2e/sse-refusals.test.ts', 'at the cap of the user, whose streams count as their WebSockets do'],
    ],
  },
  {
    what: 'handshakes a second, in bursts of `connectionsMaxPerIp`',
    at: 'handshakesPerSecondPerIp',
    of: 'address',
    over: 'refused before the upgrade, 429',
    codes: ['rate_limited'],
    countedBy: [limited('handshake'), rejected('rate_limited')],
    tests: [
      [places, 'lets all connections of an address come back in one burst'],
      [caps, 'refuses with 429 and when to come back, and no other address'],
    ],
  },
  {
    what: 'open connections that speak HTTP; as many on the admin port',
    at: 'httpConnectionsMax',
    of: 'the gateway',
    over: 'closed at their first byte',
    codes: [],
    countedBy: [rejected('too_many_connections')],
    tests: [
      [http, 'above the limit are closed at once, and counted'],
      ['e2e/listeners.test.ts', 'lets an operator in when clients have taken all connections'],
    ],
  },
  {
    what: 'the same and WebSockets together',
    at: { value: '`ulimit -n`, less 256 or a quarter of it' },
    of: 'process',
    over: 'closed at their first byte: the engine and requests to the application need files, too',
    codes: [],
    countedBy: [rejected('too_many_connections')],
    tests: [
      ['transport/uws/http-connections.test.ts', 'are as many as %s, and one more is closed and counted'],
      ['server/open-files.test.ts', 'of %s files all but 256, and of few all but a quarter, are for clients'],
    ],
  },
  {
    what: 'new connections of any kind a second',
    at: 'httpConnectionsPerSecondPerIp',
    of: 'peer; trusted proxies have no limit',
    over: 'closed at their first byte',
    codes: [],
    countedBy: [limited('connection'), rejected('rate_limited')],
    tests: [
      [http, 'of one address that come too fast are closed, and those of others are not'],
      ['sessions/token-bucket.test.ts', 'token bucket'],
    ],
  },
  {
    what: 'the header of a connection of the proxy port',
    at: { value: '107 bytes, of version 2 4096' },
    of: 'connection of a trusted proxy',
    over: 'closed',
    codes: [],
    countedBy: [],
    tests: [
      ['transport/proxy-header.test.ts', 'ends within 107 bytes'],
      ['transport/proxy-header.test.ts', '4 KiB of addresses and extras'],
    ],
  },
  {
    what: 'lines of the log for refused credentials and origins',
    at: { value: '10, then one every 10 s' },
    of: 'door and code',
    over: 'left out; the next line says how many',
    codes: [],
    countedBy: ['auth_failures_total'],
    tests: [
      [
        'auth/refusals.test.ts',
        'keeps to ten lines of a kind and one more every 10 s, which says how many are missing',
      ],
    ],
  },
  {
    what: 'silence',
    at: 'idleTimeoutSeconds',
    of: 'session',
    over: 'ended; a session of polls 30 s after the last',
    codes: ['idle_timeout'],
    countedBy: [ended('idle_timeout'), 'heartbeat_timeouts_total'],
    tests: [
      ['e2e/sessions.test.ts', 'is told from a silent one by its pongs, ended, and counted'],
      ['transport/uws/streams.test.ts', 'is gone 30 s after its last poll, and not before'],
    ],
  },
];

const requests: readonly Limit[] = [
  {
    what: 'requests a second without a valid key or token',
    at: 'httpRequestsPerSecondPerIp',
    of: 'address',
    over: '429; `/healthz` and `/readyz` have no limit',
    codes: ['rate_limited'],
    countedBy: [limited('http')],
    tests: [
      [http, 'of an address are refused above its rate, and those with a key are not'],
      ['sessions/request-limits.test.ts', 'requests of a payer'],
    ],
  },
  {
    what: 'requests a second with a token',
    at: 'httpRequestsPerSecondPerUser',
    of: 'user',
    over: '429',
    codes: ['rate_limited'],
    countedBy: [limited('http')],
    tests: [
      [http, 'of a user are refused above their own rate, wherever they come from'],
      ['sessions/request-limits.test.ts', 'requests of a payer'],
    ],
  },
  {
    what: 'time of requests, and of their responses by size',
    at: { value: '250 ms a second' },
    of: 'user or address',
    over: '429',
    codes: ['rate_limited'],
    countedBy: [limited('http')],
    tests: [['sessions/request-limits.test.ts', 'the time that requests take']],
  },
  {
    what: 'a body',
    at: 'bodyMaxBytes',
    of: 'request',
    over: '413, once its length is known',
    codes: ['frame_too_large'],
    countedBy: [answered(413)],
    tests: [
      [abuse, 'is taken at the limit and refused above it, by its content-length'],
      [abuse, 'is refused above the limit in chunks too, before it has ended'],
    ],
  },
  {
    what: 'a body of a stream or poll',
    at: { value: '256 KiB' },
    of: 'request',
    over: '413',
    codes: ['frame_too_large'],
    countedBy: [rejected('frame_too_large')],
    tests: [[limits, 'the body of a poll']],
  },
  {
    what: 'a filter that a stream or poll gives once for many topics: its characters, for each topic',
    at: { value: '262 144' },
    of: 'request',
    over: 'refused, 400',
    codes: ['invalid_filter'],
    countedBy: [rejected('invalid_filter')],
    tests: [['security/attacks.test.ts', 'is taken as far as all of them would fit into a body']],
  },
  {
    what: 'a body that publishes nothing',
    at: { value: '256 KiB' },
    of: 'request',
    over: '413',
    codes: ['frame_too_large'],
    countedBy: [answered(413)],
    tests: [[limits, 'a body that publishes nothing']],
  },
  {
    what: 'bodies under way, unread responses, commands that wait, questions to the application: each',
    at: 'requestsMaxBytesPerClient',
    of: 'key, user, session or address',
    over: '429, or an error',
    codes: ['rate_limited'],
    countedBy: [answered(429), failed('rate_limited')],
    tests: [
      [http, 'is refused above what all bodies of its client may have together, and no other client’s is'],
      [http, 'is refused another one above its limit, and no other client is'],
      [
        'sessions/pending-commands.test.ts',
        'are charged to their payer, refused above its limit, and given back',
      ],
      [gate, 'bytes of questions'],
    ],
  },
  {
    what: 'the same of all clients',
    at: 'requestsMaxBytes',
    of: 'the gateway',
    over: '429, or an error; of commands that wait no client holds more than is free',
    codes: ['rate_limited'],
    countedBy: [answered(429), failed('rate_limited')],
    tests: [
      [http, 'is refused above what all clients may have together'],
      [
        'sessions/pending-commands.test.ts',
        'of many payers that take all they can leave room for one that comes later',
      ],
    ],
  },
  {
    what: 'a head',
    at: { value: '16 KiB, 98 headers' },
    of: 'request',
    over: '431, by the library',
    codes: [],
    countedBy: [],
    tests: [
      ['transport/uws/heads.test.ts', 'a head in several segments is served up to 16 KiB'],
      ['transport/uws/heads.test.ts', 'the library serves 98 headers'],
    ],
  },
  {
    what: 'a page of a list; of a history also 1 MiB',
    at: { value: '1000' },
    of: 'request',
    over: '400; the history ends before, and says that there is more',
    codes: ['invalid_request'],
    countedBy: [answered(400)],
    tests: [
      [limits, 'entries of a page'],
      ['e2e/unread.test.ts', 'ends at 1 MiB over HTTP'],
    ],
  },
];

const sessions: readonly Limit[] = [
  {
    what: 'commands a second',
    at: 'commandsPerSecond',
    of: 'session',
    over: 'refused; after ten times as many (at least 1000) refusals closed',
    codes: ['rate_limited', 'too_many_commands'],
    countedBy: [limited('command'), failed('rate_limited'), ended('too_many_commands')],
    tests: [
      [abuse, 'in a flood are refused with the time to wait, and served again after it'],
      [abuse, 'over the rate are refused by their id without being read, and a client that goes on is ended'],
      ['sessions/command-limits.test.ts', 'refusals'],
    ],
  },
  {
    what: 'time of commands, and of large replies by size',
    at: { value: '1 ms for each of `commandsPerSecond`' },
    of: 'key, user or session',
    over: 'refused',
    codes: ['rate_limited'],
    countedBy: [limited('command')],
    tests: [
      [
        'sessions/command-limits.test.ts',
        'is a millisecond a command of the rate; a payer in debt waits until it is paid',
      ],
      ['sessions/command-limits.test.ts', 'includes large replies'],
      ['sessions/topic-permits.test.ts', 'the time of tokens that the secret signs is that of their command'],
    ],
  },
  {
    what: 'a message',
    at: 'frameMaxBytes',
    of: 'session',
    over: 'refused; of more than twice as many bytes closed',
    codes: ['frame_too_large'],
    countedBy: [failed('frame_too_large'), ended('frame_too_large')],
    tests: [
      [abuse, 'is taken at the limit and refused above it, and the session goes on'],
      [abuse, 'ends the connection when it is far above, as soon as its header says so'],
    ],
  },
  {
    what: 'large messages that wait to be decoded',
    at: { value: 'two messages; 16 MiB of all' },
    of: 'key, user or session',
    over: 'refused',
    codes: ['rate_limited'],
    countedBy: [limited('command')],
    tests: [
      ['sessions/intake.test.ts', 'are refused above what their payer may have waiting, and no other’s are'],
    ],
  },
  {
    what: 'commands that wait for those before them',
    at: { value: '256 KiB' },
    of: 'session',
    over: 'refused',
    codes: ['rate_limited'],
    countedBy: [failed('rate_limited')],
    tests: [['sessions/command-queue.test.ts', 'that wait have at most 256 KiB']],
  },
  {
    what: 'large replies that wait for room',
    at: { value: '100' },
    of: 'session',
    over: 'refused',
    codes: ['rate_limited'],
    countedBy: [failed('rate_limited')],
    tests: [[session, 'is refused a page of history when 100 wait']],
  },
  {
    what: 'subscriptions',
    at: 'subscriptionsPerSession',
    of: 'session',
    over: 'refused, one by one',
    codes: ['too_many_subscriptions'],
    countedBy: [unsubscribed('too_many_subscriptions')],
    tests: [
      [abuse, 'subscribe takes 100 topics, and not the 101st, until one is given back'],
      [limits, 'subscriptions of a session'],
    ],
  },
  {
    what: 'views with keys, a filter or an interval of a topic or pattern',
    at: 'viewsPerTopic',
    of: 'key, user, session, and address without key or token: a quarter; all without key or token: half',
    over: 'refused; plain subscriptions always have room',
    codes: ['too_many_views'],
    countedBy: [unsubscribed('too_many_views')],
    tests: [
      [quota, 'of %d views that one payer wants of a topic, it gets %d'],
      [quota, 'sessions without an identity leave half of a topic to others, whatever their number'],
      [limits, 'views of a user of one topic'],
      [
        'fanout/fanout.test.ts',
        'a topic may have 64 views with a filter, and a pattern 64; another is too many',
      ],
    ],
  },
  {
    what: 'the same of all topics',
    at: 'viewsMax',
    of: 'the same',
    over: 'refused',
    codes: ['too_many_views'],
    countedBy: [unsubscribed('too_many_views')],
    tests: [
      [quota, 'of all topics, one payer gets a quarter'],
      [quota, 'a hundred sessions of a hundred subscriptions lock no one out'],
      ['fanout/fanout.test.ts', 'the number of views has a limit'],
    ],
  },
  {
    what: 'members of topics',
    at: 'presenceMaxBytes',
    of: 'key, user or session: a quarter, and no more than is free',
    over: 'subscribed, and not listed',
    codes: [],
    countedBy: ['presence_unlisted_total', 'presence_bytes'],
    tests: [
      [
        'sessions/presence.test.ts',
        'is charged to the payers of its members, and one that finds no room is not listed until it has',
      ],
    ],
  },
  {
    what: 'members in a reply, and in a topic that announces them',
    at: { value: '1000' },
    of: 'topic',
    over: 'left out of the list, and counted',
    codes: [],
    countedBy: [],
    tests: [
      ['sessions/presence.test.ts', 'joins and leaves are announced up to 1000 members, and 1000 are listed'],
    ],
  },
  {
    what: 'a page of history',
    at: { value: '1000 publications, 256 KiB' },
    of: 'command',
    over: 'the page ends before, and says that there is more',
    codes: [],
    countedBy: [],
    tests: [
      ['e2e/unread.test.ts', 'has at most 1000 publications, and says that there are more'],
      ['e2e/unread.test.ts', 'ends with the publication that makes it 256 KiB large, and goes on there'],
    ],
  },
  {
    what: 'topics that the reply to a pattern lists',
    at: { value: '1000' },
    of: 'subscription',
    over: 'left out, and served',
    codes: [],
    countedBy: [],
    tests: [['catch-up/start-pattern.test.ts', 'lists at most 1000 of %i topics, and sends all of them']],
  },
  {
    what: 'a cursor',
    at: { value: '1024 characters, 40 exceptions' },
    of: 'session',
    over: 'names the earliest position for all: publications come again; of a request 400',
    codes: ['invalid_request'],
    countedBy: [rejected('invalid_request')],
    tests: [
      ['e2e/sse.test.ts', 'of more topics than a cursor names loses nothing, and repeats by offset'],
      ['e2e/sse-refusals.test.ts', 'a cursor that is too long'],
    ],
  },
  {
    what: 'topics of the claim `topics`',
    at: { value: '1000' },
    of: 'token',
    over: 'the token is refused',
    codes: ['unauthorized'],
    countedBy: ['auth_failures_total{reason="unauthorized"}'],
    tests: [['auth/tokens.test.ts', '1000 permissions are taken, 1001 are not']],
  },
  {
    what: 'refused topic tokens that are looked at',
    at: { value: '10' },
    of: 'command',
    over: 'the subscriptions of further ones are refused',
    codes: ['unauthorized'],
    countedBy: [unsubscribed('unauthorized')],
    tests: [['security/topic-tokens.test.ts', 'of %s ten refused tokens of a command the next is looked at']],
  },
  {
    what: 'a token; other texts; entries of a list; a filter',
    at: { value: '16 384 and 1024 characters; 1000; 64 nodes, 8 deep' },
    of: 'message',
    over: 'refused',
    codes: ['invalid_request', 'invalid_filter'],
    countedBy: [failed('invalid_request'), failed('invalid_filter')],
    tests: [[bounds, 'bounds %s']],
  },
  {
    what: 'unsent bytes before a session lags',
    at: 'backpressureMaxBytes',
    of: 'session',
    over: 'no live batches until it has drained, then catch-up',
    codes: [],
    countedBy: ['sessions_lagging_total', 'drops_total'],
    tests: [
      ['transport/sink-contract.ts', 'a slow client lags, is caught up when it reads again'],
      [session, 'once it has drained it gets what it lacks, is told that it caught up, and is live'],
    ],
  },
  {
    what: 'replies that wait for a full buffer',
    at: { value: '100, 256 KiB' },
    of: 'session',
    over: 'cut',
    codes: ['slow_consumer'],
    countedBy: [ended('slow_consumer')],
    tests: [
      ['sessions/outbox.test.ts', 'takes 100 messages, and no more'],
      ['sessions/outbox.test.ts', 'takes 256 KiB, and no more'],
      [session, 'is terminated when more than 100 messages wait'],
    ],
  },
  {
    what: 'time without progress of a full buffer',
    at: 'writeTimeoutSeconds',
    of: 'session',
    over: 'cut',
    codes: ['slow_consumer'],
    countedBy: [ended('slow_consumer')],
    tests: [
      [session, 'is terminated after the write timeout without a byte of progress'],
      ['transport/uws/streams.test.ts', 'that takes nothing for the write timeout is cut, and not before'],
    ],
  },
  {
    what: 'unsent bytes of all sessions',
    at: 'backpressureTotalMaxBytes',
    of: 'the gateway',
    over: 'the fattest are cut',
    codes: ['slow_consumer'],
    countedBy: [ended('slow_consumer'), 'backpressure_bytes'],
    tests: [
      [
        session,
        'the fattest are terminated when all buffers together are too large, and no more than needed',
      ],
    ],
  },
];

const publishing: readonly Limit[] = [
  {
    what: 'a payload',
    at: 'payloadMaxBytes',
    of: 'publication',
    over: 'refused, 413',
    codes: ['payload_too_large'],
    countedBy: [unpublished('payload_too_large')],
    tests: [
      [abuse, 'is taken at the limit and refused above it, through every door'],
      [limits, 'the payload of a publication'],
    ],
  },
  {
    what: 'tags; a tag’s name and value, a key, a messageId',
    at: { value: '32; 200 characters' },
    of: 'publication',
    over: 'refused, 400',
    codes: ['invalid_request'],
    countedBy: [unpublished('invalid_request'), answered(400)],
    tests: [
      ['api/publish.test.ts', 'there are at most 32 tags'],
      ['topics/publish-problem.test.ts', 'nothing is wrong where %s'],
    ],
  },
  {
    what: 'the name of a topic',
    at: { value: '200 characters' },
    of: 'publication or subscription',
    over: 'refused, 400',
    codes: ['invalid_topic'],
    countedBy: [unpublished('invalid_topic'), unsubscribed('invalid_topic')],
    tests: [[limits, 'the name of a topic']],
  },
  {
    what: 'publications of a batch, members of one',
    at: { value: '1000, 100' },
    of: 'request',
    over: 'refused, 400',
    codes: ['invalid_request'],
    countedBy: [answered(400)],
    tests: [
      ['api/publish-batch.test.ts', 'has 1000 items at most'],
      ['api/publish.test.ts', 'a body has at most 100 members: what follows is not looked at'],
    ],
  },
  {
    what: 'recipients of a broadcast',
    at: { value: '500' },
    of: 'request',
    over: 'refused, 400',
    codes: ['invalid_request'],
    countedBy: [answered(400)],
    tests: [[limits, 'recipients of a broadcast']],
  },
  {
    what: 'topics',
    at: 'topicsMax',
    of: 'the gateway',
    over: 'a new topic is refused; known ones go on',
    codes: ['too_many_topics'],
    countedBy: [unpublished('too_many_topics')],
    tests: [
      [broker, 'a new topic is taken below it and refused at it; known ones go on'],
      [limits, 'topics of the gateway'],
    ],
  },
  {
    what: 'bytes of the messageIds of 5 minutes',
    at: 'messageIdsMaxBytesPerClient',
    of: 'key, user, session or address',
    over: 'a new messageId is refused, 429',
    codes: ['rate_limited'],
    countedBy: [limited('publish'), unpublished('rate_limited')],
    tests: [
      ['topics/idempotency.test.ts', 'the budget of message ids'],
      [limits, 'messageIds of a user'],
      [
        'e2e/message-ids.test.ts',
        'are refused to the user that they belong to, by each door, and to no one else',
      ],
    ],
  },
  {
    what: 'the same of all; those without key or token a quarter',
    at: 'messageIdsMaxBytes',
    of: 'the gateway',
    over: 'the same; no client holds more than is free',
    codes: ['rate_limited'],
    countedBy: [limited('publish'), 'message_id_bytes'],
    tests: [
      [
        'topics/idempotency.test.ts',
        'verified publishers take no more than the total, whatever their number',
      ],
      ['topics/idempotency.test.ts', 'where many take all they can, there is room for one that comes later'],
    ],
  },
  {
    what: 'the history of a topic, by number',
    at: 'topicHistoryMaxPublications',
    of: 'topic',
    over: 'the oldest are evicted',
    codes: [],
    countedBy: ['ring_evictions_total{reason="count"}'],
    tests: [[ring, 'evicts the oldest above the limit of count, not at it']],
  },
  {
    what: '… by age',
    at: 'topicHistoryMaxAgeSeconds',
    of: 'topic',
    over: 'evicted',
    codes: [],
    countedBy: ['ring_evictions_total{reason="age"}'],
    tests: [[ring, 'evicts by age what is older than the limit, not what is as old']],
  },
  {
    what: '… by bytes',
    at: 'topicHistoryMaxBytes',
    of: 'topic',
    over: 'the oldest are evicted',
    codes: [],
    countedBy: ['ring_evictions_total{reason="bytes"}'],
    tests: [[ring, 'evicts the oldest above the limit of bytes, not at it']],
  },
  {
    what: 'all histories and states',
    at: 'historyMaxBytes',
    of: 'the gateway',
    over: 'the histories of idle topics are evicted; where values alone fill it, new ones are refused',
    codes: ['too_many_keys'],
    countedBy: ['ring_evictions_total{reason="total"}', unpublished('too_many_keys')],
    tests: [
      [broker, 'the rings of idle topics go first; epoch, offset and state stay'],
      [broker, 'a state that would alone exceed it grows no more; what it has may change, shrink and go'],
    ],
  },
  {
    what: 'keys of a state topic, and tokens and users that are revoked',
    at: { value: '10 000' },
    of: 'topic',
    over: 'a new key is refused',
    codes: ['too_many_keys'],
    countedBy: [unpublished('too_many_keys')],
    tests: [[broker, 'a state topic takes 10 000 keys and no more; known keys and removals go on']],
  },
  {
    what: 'publications of a live batch; its bytes',
    at: 'batchMaxPublications',
    of: 'view',
    over: 'several batches',
    codes: [],
    countedBy: ['frames_total'],
    tests: [
      ['fanout/fanout.test.ts', 'a busy topic with %i publications, of at most 2 a batch, sends at once %j'],
    ],
  },
  {
    what: '… by bytes',
    at: 'batchMaxBytes',
    of: 'view',
    over: 'several batches',
    codes: [],
    countedBy: ['frames_total'],
    tests: [
      ['fanout/fanout.test.ts', 'batches are cut at the limit of bytes, and what is larger goes alone'],
    ],
  },
  {
    what: 'numberings of topics whose content is gone',
    at: { value: '100 000' },
    of: 'the gateway',
    over: 'the longest idle is dropped: the topic begins anew, and clients are told',
    codes: [],
    countedBy: [],
    tests: [['engines/contract/forget.ts', 'drops the numberings that have been idle for longest']],
  },
  {
    what: 'catch-up pages that are shared',
    at: { value: '4 MiB' },
    of: 'the gateway',
    over: 'the longest unused is made anew',
    codes: [],
    countedBy: ['shared_pages_total'],
    tests: [
      [
        'catch-up/page-cache.test.ts',
        'are evicted, the one longest unused first, when they are too large together',
      ],
    ],
  },
  {
    what: 'positions that users have acknowledged',
    at: { value: '100; 100 000 of all' },
    of: 'user',
    over: 'the longest unused is forgotten: what was kept comes again',
    codes: [],
    countedBy: ['acknowledged_positions'],
    tests: [
      [
        'engines/contract/acknowledged.ts',
        'drops what was not used for longest: of a user over its own limit, of all over that of all',
      ],
    ],
  },
];

const application: readonly Limit[] = [
  {
    what: 'questions to a hook at the same time',
    at: 'hookConcurrency',
    of: 'hook',
    over: 'they wait, at most 1000; then as where the hook fails',
    codes: ['application_unavailable'],
    countedBy: ['hook_errors_total{reason="overloaded"}', 'hooks_waiting'],
    tests: [[gate, 'questions of many clients']],
  },
  {
    what: 'questions that are asked or wait',
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
    what: 'the same; where so many no longer fit, half of what fits, so that others find a place',
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
    what: 'time of a hook, waiting included',
    at: 'hookTimeoutMs',
    of: 'question',
    over: 'refused, or let in where it fails open',
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
    what: 'an answer to a hook; to a call two payloads more',
    at: { value: '64 KiB' },
    of: 'question',
    over: 'as where the hook fails',
    codes: ['application_unavailable'],
    countedBy: ['hook_errors_total{reason="too_large"}'],
    tests: [
      ['security/hooks.test.ts', 'whose answer has %i bytes of 64 KiB is believed: %j'],
      ['security/hooks.test.ts', 'that returns 100 MB'],
    ],
  },
  {
    what: 'events that the application has not taken',
    at: 'eventQueueMaxBytes',
    of: 'the gateway',
    over: 'all are dropped, and the next batch says resync',
    codes: [],
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
    over: 'the keys before stay',
    codes: ['token_keys_unavailable'],
    countedBy: ['auth_failures_total{reason="token_keys_unavailable"}'],
    tests: [
      ['security/tokens.test.ts', 'a server of keys'],
      ['auth/token-keys.test.ts', 'that could never be loaded make tokens wait: the refusal passes'],
    ],
  },
  {
    what: 'verified tokens that are remembered',
    at: { value: '8 MiB' },
    of: 'the gateway',
    over: 'the oldest is verified anew',
    codes: [],
    countedBy: [],
    tests: [['auth/verified-tokens.test.ts', 'of two tokens with 2000 bytes']],
  },
];

/** Every limit. test/docs.test.ts holds its names to the options, codes, metrics and tests that there are. */
export const limitGroups: readonly LimitGroup[] = [
  { title: 'Connections', limits: connections },
  { title: 'Requests over HTTP', limits: requests },
  { title: 'Sessions', limits: sessions },
  { title: 'Publications, and what is kept', limits: publishing },
  { title: 'The application and the issuer of tokens', limits: application },
];
