/** An attack, and tests of it: the file below `test/`, and text of a title there. */
export interface Row {
  readonly attack: string;
  readonly tests: readonly (readonly [file: string, title: string])[];
}

const here = 'security/attacks.test.ts';
const tokens = 'security/tokens.test.ts';
const abuse = 'e2e/abuse.test.ts';
const caps = 'e2e/caps.test.ts';
const requests = 'security/requests.test.ts';
const redisVersions = 'engines/redis/versions.test.ts';
const hooks = 'security/hooks.test.ts';
const http = 'transport/uws/http.test.ts';
const heads = 'transport/uws/heads.test.ts';
const adminPort = 'security/admin-port.test.ts';

/**
 * What is done to gateways, and where it is tried. `npm run bench -- siege` looks at what larger ones cost others.
 * test/security/attacks.test.ts holds the titles to the tests that there are.
 */
export const attacks: readonly Row[] = [
  {
    attack: 'a token that is forged, changed, or signed by another algorithm or none',
    tests: [
      ['auth/tokens.test.ts', 'what is not a token that the gateway’s secret signs with HS256'],
      ['auth/tokens.test.ts', 'a changed payload is refused'],
      ['auth/token-keys.test.ts', 'each is used with the algorithm of the other'],
      [tokens, 'of an algorithm that is not listed are refused'],
      [tokens, 'are compared with the issuer and audience that are configured'],
    ],
  },
  {
    attack: 'a token that has expired or was revoked, at the door and while connected',
    tests: [
      ['auth/tokens.test.ts', 'the end of a token'],
      [caps, 'that is refused is told before the upgrade, and to a plain GET'],
      [
        'security/revocation.test.ts',
        'is refused by every door, and ends what it opened, whatever the transport',
      ],
      ['hooks/hooks.test.ts', 'refuses a client whose token is revoked while the application thinks'],
      ['security/revocation.test.ts', 'is ended when the user of its token is revoked: named %s'],
      ['cli/reload.test.ts', 'no client gets in about which the application was asked before'],
    ],
  },
  {
    attack: 'a token whose header brings or names a key',
    tests: [
      ['auth/token-keys.test.ts', 'a token signed with a published key'],
      [tokens, 'is the only one that is asked, whatever a token says of its key'],
    ],
  },
  {
    attack: 'published keys that are slow, replaced, packed, cut short, alike, damaged or no keys',
    tests: [
      [tokens, 'that returns 300 MB in 300 kB'],
      [tokens, 'that returns more codings than anyone uses'],
      [tokens, 'that ends too early'],
      [tokens, 'are taken by keys after a byte order mark, from a file and from a server'],
      ['auth/token-keys.test.ts', 'is good where several keys fit, whichever of them signed it'],
      ['auth/token-keys.test.ts', 'is verified with ten keys that fit, and with no more'],
      ['auth/token-keys.test.ts', 'loses keys that are damaged, and no others'],
      ['auth/token-keys.test.ts', 'are not outlived by a token whose verification began before them'],
      ['auth/token-keys.test.ts', 'may have members of any depth, which are dropped'],
      [tokens, 'that returns 10 000 keys'],
      [tokens, 'that hangs delays only tokens of keys that are not known'],
      [tokens, 'are taken by the keys that it publishes, also after it has replaced them'],
      [
        'auth/token-keys.test.ts',
        'is refused if it is neither JSON nor PEM, by an error that does not repeat it',
      ],
    ],
  },
  {
    attack: 'a filter of a token that its client widens',
    tests: [
      ['security/topic-tokens.test.ts', 'the filter of a topic token can be narrowed, and never widened'],
    ],
  },
  {
    attack: 'the topics of others, by every door and spelling',
    tests: [
      [here, 'is neither read nor written by another one, by any door'],
      [here, 'is not read by one whose name only looks the same'],
      ['e2e/users.test.ts', 'a user can’t be had by another one’s escapes'],
      [
        'auth/permissions.test.ts',
        'a grant covers a pattern only if it covers every topic that the pattern matches',
      ],
      ['security/scopes.test.ts', 'commands by the key %s are for its scopes and topics'],
    ],
  },
  {
    attack: 'secrets that come out in logs, errors or metrics',
    tests: [['security/secrets.test.ts', 'shows none of them in its %s']],
  },
  {
    attack: 'line ends, dots and slashes in paths and headers',
    tests: [
      [here, 'makes no header of a response'],
      [here, 'reaches no file'],
      ['e2e/paths.test.ts', 'that can be no topic is refused before the upgrade'],
    ],
  },
  {
    attack: 'forwarding headers that are made up',
    tests: [
      [caps, 'counts by what a trusted proxy says, and not by what others say'],
      ['auth/client-address.test.ts', 'without trusted proxies the header counts for nothing'],
      ['security/proxies.test.ts', 'a peer that is no trusted proxy can’t claim another host'],
    ],
  },
  {
    attack: 'pages of other origins, rebound names and simple requests',
    tests: [
      ['web/foreign-page.e2e.test.ts', 'a page of another origin'],
      [
        'auth/loopback-access.test.ts',
        'a rebound name is refused, for reading too, although its origin is its own',
      ],
    ],
  },
  {
    attack: 'Hosts and origins that only look like this machine',
    tests: [
      [requests, 'and not where its Host only looks like it'],
      [requests, 'but not if it has two'],
      [requests, 'and not where a page of another origin sends it'],
    ],
  },
  {
    attack:
      'configuration files that are large, deep, not UTF-8, ambiguous, or full of nonsense, at the start and on SIGHUP',
    tests: [
      ['config/file.test.ts', 'is refused %s'],
      ['config/file.test.ts', 'is told by its first faults, and by how many there are'],
      ['regular-file.test.ts', 'does not read %s: it %s'],
      ['cli/reload.test.ts', 'a file that %s changes nothing either'],
    ],
  },
  {
    attack: 'the administration asked for on the public port, beside an admin port',
    tests: [
      [adminPort, 'has no %s, by any spelling and method'],
      [adminPort, 'has none after another request'],
      [adminPort, 'has none on the unix socket, which is public too'],
      [adminPort, 'lets in who may administer, and no others'],
      [adminPort, 'without keys serves this machine only, by its name'],
    ],
  },
  {
    attack: 'requests that two readers would end in two places, and request lines of proxies',
    tests: [
      [requests, 'is not guessed, and its connection ends'],
      [requests, 'is not guessed behind a proxy'],
      [requests, 'hides no second request in the body of the first'],
      [requests, 'trailers set no header, and end the connection'],
      [requests, '%s publishes nothing'],
    ],
  },
  {
    attack: 'names that pollute prototypes',
    tests: [
      [here, 'changes no prototype, and its names are names like others'],
      ['protocol/json/scanner.test.ts', 'keeps a member named __proto__ from the prototype'],
    ],
  },
  {
    attack: 'bombs: compressed, deep, or of very many members',
    tests: [
      [abuse, 'of the wire protocol itself ends the connection'],
      ['protocol/limits.test.ts', 'survives a filter far deeper than the limit'],
      ['protocol/compression.test.ts', 'inflates to exactly the length that it says, within the limit'],
    ],
  },
  {
    attack: 'frames that are huge, in fragments, without a mask, or with reserved bits',
    tests: [
      [abuse, 'ends the connection when it is far above, as soon as its header says so'],
      [abuse, 'in fragments ends the connection too, however small each is'],
      [abuse, 'of the wire protocol itself ends the connection'],
      [here, 'without a mask are not commands'],
    ],
  },
  {
    attack: 'frames that are damaged or random',
    tests: [
      [abuse, 'of random bytes gets one frame as its reply, and never a fault of the gateway'],
      ['protocol/malformed.test.ts', 'never throws on random bytes'],
    ],
  },
  {
    attack: 'heads in many small segments',
    tests: [[heads, 'a head in several segments is served up to 16 KiB']],
  },
  {
    attack: 'handshakes and bodies that never end',
    tests: [
      [here, 'half-sent handshakes and bodies, 1000 of them, leave others served'],
      [abuse, 'that never comes, or too slowly to be meant, is given up'],
      ['e2e/access.test.ts', 'are closed with 4501 when 5 s have passed'],
    ],
  },
  {
    attack: 'answers that are not read',
    tests: [
      [http, 'a client that sends requests ahead and reads none of the responses'],
      ['e2e/unread.test.ts', 'have no pages made for them'],
    ],
  },
  {
    attack: 'a storm of connections',
    tests: [
      [here, 'handshakes get in up to the cap, to the last place, and none more; the places come back'],
      [http, 'of one address that come too fast are closed, and those of others are not'],
      [caps, 'refuses with 429 and when to come back, and no other address'],
      ['e2e/listeners.test.ts', 'lets an operator in when clients have taken all connections'],
    ],
  },
  {
    attack: 'subscriptions that come and go',
    tests: [[here, 'subscriptions that come and go leave no view, no subscription and no topic']],
  },
  {
    attack: 'every place of an address, a user, the gateway, topics and views is taken',
    tests: [
      [
        'security/limits.test.ts',
        'a client that is in goes on, though others have taken every place that there is',
      ],
      ['fanout/view-shares.test.ts', 'a hundred sessions of a hundred subscriptions lock no one out'],
      [caps, 'of clients without a token leave room for others, and plain subscriptions always have it'],
    ],
  },
  {
    attack: 'floods of commands, publishes and requests',
    tests: [
      [abuse, 'over the rate are refused by their id without being read, and a client that goes on is ended'],
      [abuse, 'in a flood are refused with the time to wait, and served again after it'],
      [http, 'of an address are refused above its rate, and those with a key are not'],
    ],
  },
  {
    attack:
      'an application whose hooks hang, lie, redirect, contradict themselves, or return 100 MB, packed or not',
    tests: [
      [hooks, 'that says no and yes'],
      [hooks, 'that returns 300 MB in 300 kB'],
      [hooks, 'that returns deep JSON'],
      [hooks, 'that names a user who has no topic is not believed'],
      [hooks, 'that names topics twice, or its user’s own, lets each be joined once'],
      [hooks, 'whose bytes are not base64 is not believed'],
      [hooks, 'that hangs in the middle'],
      [hooks, 'that returns 100 MB'],
      [hooks, 'that redirects'],
      ['hooks/endpoint.test.ts', 'puts more than ten interim responses before the one that counts'],
      [hooks, 'whose yes is a text'],
      [hooks, 'lets none in, unless failures do, and others are served'],
      [hooks, 'that names topics of Sluice or of another user is not believed'],
      [hooks, 'is asked at most 32 questions of one client at a time, and holds nothing afterwards'],
      ['hooks/hooks.test.ts', 'takes the question of its session along'],
    ],
  },
  {
    attack: 'views, topics, numberings and message ids that are used up, at one process or at all',
    tests: [
      [caps, 'of clients without a token leave room for others, and plain subscriptions always have it'],
      [
        caps,
        'is not used up by subscriptions to topics that do not exist, nor overrun by publishing to them',
      ],
      ['fanout/view-shares.test.ts', 'a hundred sessions of a hundred subscriptions lock no one out'],
      [
        'topics/topic-shares.test.ts',
        'where many users take all they can, there is room for one that comes later',
      ],
      ['sessions/limits/begin-limits.test.ts', 'leave nine tenths of all numberings to others'],
      [
        'e2e/redis-nodes.test.ts',
        'all processes of all machines charge a user for a topic, whichever it was made at',
      ],
    ],
  },
  {
    attack: 'JSON that is nested more deeply than a call stack goes',
    tests: [
      [here, 'in a query is refused, before and after authentication'],
      [here, 'in a body for %s is refused'],
      [here, 'in a member of a frame is refused'],
    ],
  },
  {
    attack: 'a request that is small, and large once its parts are multiplied',
    tests: [[here, 'is taken as far as all of them would fit into a body']],
  },
  {
    attack: 'a body in chunks of a byte, and requests that are sent ahead by the thousand',
    tests: [
      ['transport/uws/request-body.test.ts', 'ends its connection if there are more'],
      [http, 'and the connection of more is ended'],
      ['transport/uws/exchange.test.ts', 'is answered in the next turn'],
    ],
  },
  {
    attack: 'handshakes, polls, pings and empty entries by the ten thousand',
    tests: [
      ['transport/uws/upgrade.test.ts', 'of a turn are done in it up to the two hundredth'],
      ['transport/uws/stream-reads.test.ts', 'waits for a turn that has time for it'],
      ['protocol/protobuf/codec.test.ts', 'decodes 60 000 fields and no more'],
      ['sessions/limits/command-limits.test.ts', 'are fifty in a turn that their client has flooded'],
    ],
  },
  {
    attack: 'something else that writes to Sluice’s keys in Redis',
    tests: [
      [redisVersions, 'a message that no gateway has written is ignored'],
      [
        redisVersions,
        'a log that others go on writing to is read again at growing intervals, and names the cause',
      ],
    ],
  },
  {
    attack: 'connections that are kept open by requests, and WebSockets that send only pongs',
    tests: [
      [http, 'are kept after a response while half of them are free, and end with it while fewer are'],
      [abuse, 'are few beside %i pongs and pings that no one asked for'],
    ],
  },
];
