import { options } from '../../config.ts';
import { errorTable } from '../../errors.ts';
import { caps as connectionCaps } from '../../sessions/connection-caps.ts';
import type { Limit } from './limit.ts';
import { caps, ended, failed, http, limited, limits, places, rejected } from './names.ts';

/** WebSockets, streams and the sessions of polls are connections alike. */
const described: readonly Limit[] = [
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
    countedBy: [rejected('too_many_connections')],
    tests: [
      [http, 'above the limit are closed at once, and counted'],
      ['e2e/listeners.test.ts', 'lets an operator in when clients have taken all connections'],
    ],
  },
  {
    what: 'the same, kept open after a response',
    at: { value: 'half of these' },
    of: 'the gateway',
    over: 'small responses end their connections',
    countedBy: ['http_connections'],
    tests: [
      ['transport/uws/http-connections.test.ts', 'are scarce when more than half of them are taken'],
      [http, 'are kept after a response while half of them are free, and end with it while fewer are'],
      ['transport/uws/exchange.test.ts', 'ends its connection with the answer where that is small'],
    ],
  },
  {
    what: 'the same and WebSockets together',
    at: { value: '`ulimit -n`, less 256 or a quarter of it' },
    of: 'process',
    over: 'closed at their first byte: the engine and requests to the application need files, too',
    countedBy: [rejected('too_many_connections')],
    tests: [
      ['transport/uws/http-connections.test.ts', 'are as many as %s, and one more is closed and counted'],
      ['transport/uws/http-connections.test.ts', 'of an admin port are no more than there are files'],
      ['server/open-files.test.ts', 'of %s files all but 256, and of few all but a quarter, are for clients'],
    ],
  },
  {
    what: 'those of the proxy port, and of the unix socket with `--workers`, which are relayed and take three files each',
    at: { value: '`ulimit -n`, as above, less three for each' },
    of: 'process',
    over: 'closed before anything is read',
    countedBy: [rejected('too_many_connections')],
    tests: [
      [
        'server/open-files.test.ts',
        'of %f files with %i relayed connections and %i to apps, there are some for another: %j',
      ],
      [
        'e2e/few-files.test.ts',
        'refuses relayed connections that would take more, serves those that are in, and recovers, with %i processes',
      ],
    ],
  },
  {
    what: 'new connections of any kind a second',
    at: 'httpConnectionsPerSecondPerIp',
    of: 'peer; trusted proxies have no limit',
    over: 'closed at their first byte',
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
    countedBy: [],
    tests: [
      ['transport/proxy-header.test.ts', 'ends within 107 bytes'],
      ['transport/proxy-header.test.ts', '4 KiB of addresses and extras'],
    ],
  },
  {
    what: 'lines of the log for refused credentials and origins, and for clients that meet a limit',
    at: { value: '10, then one every 10 s' },
    of: 'door and code',
    over: 'not logged; the next line says how many were not',
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

/** Caps on connections that no row describes. */
const others = connectionCaps
  .filter(({ limit }) => !described.some(({ at }) => at === limit))
  .map(
    ({ limit, code }): Limit => ({
      what: options.find(({ name }) => name === limit)?.sentence ?? '',
      at: limit,
      of: 'connections with the same key',
      over: `refused, ${errorTable[code].http}`,
      codes: [code],
      countedBy: [rejected(code)],
      tests: [[places, 'admits as many connections as it says, and refuses the next one']],
    }),
  );

export const connectionLimits: readonly Limit[] = [...described, ...others];
