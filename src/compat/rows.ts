import type { SystemName } from './systems.ts';

/** What one of the systems did, and tests of it: the file below `test/`, and the title of a test or group there. */
export interface Row {
  /** `a3`: the third of system a. */
  readonly row: `${SystemName}${number}`;
  readonly does: string;
  readonly tests: readonly (readonly [file: string, title: string])[];
}

const monitoring = 'systems/server-monitoring.test.ts';
const market = 'systems/market-data.test.ts';
const administration = 'systems/web-administration.test.ts';
const notifications = 'systems/notifications.test.ts';
const jobs = 'systems/job-progress.test.ts';

/** Everything that the five systems did. test/docs.test.ts holds the titles to the tests that there are. */
export const rows: readonly Row[] = [
  {
    row: 'a1',
    does: 'connections are tracked and cleaned up; counts of connections, messages, bytes',
    tests: [
      [
        monitoring,
        'A1: connections are tracked while they live and cleaned up after, with messages and bytes',
      ],
    ],
  },
  {
    row: 'a2',
    does: 'heartbeats, configurable; clients reconnect by themselves',
    tests: [
      [monitoring, 'A2: heartbeats'],
      [monitoring, 'A2: a client that responds to no heartbeat is ended, and counted'],
      [
        'client/connection/connection.test.ts',
        'pings at once and every 30 seconds, and tells the gateway the last round trip',
      ],
    ],
  },
  {
    row: 'a3',
    does: 'subscriptions by server, monitoring type and alert level',
    tests: [
      [
        monitoring,
        'A3: subscriptions select server, monitoring type and alert level, several conditions at once',
      ],
    ],
  },
  {
    row: 'a4',
    does: 'updates for those concerned; a failing connection harms no other',
    tests: [
      [monitoring, 'A4: updates go only to those concerned, and a connection that fails harms no other'],
    ],
  },
  {
    row: 'a5',
    does: 'a scheduled full refresh, and a push at once on a change',
    tests: [
      [monitoring, 'A5: a full refresh'],
      [
        'compat/server-monitoring.test.ts',
        'get all values again at each refresh, and a change of status at once',
      ],
    ],
  },
  {
    row: 'a6',
    does: 'a failed push is tried again, three times; successes and errors are counted',
    tests: [
      [
        monitoring,
        'A6: a push that the engine fails is tried again three times, then told; both are counted',
      ],
    ],
  },
  {
    row: 'a7',
    does: 'its routes',
    tests: [
      [monitoring, 'A7: the paths are those of before, and have native equals'],
      ['compat/server-monitoring.test.ts', 'the clients of server monitoring'],
    ],
  },
  {
    row: 'a8',
    does: 'its types; every message is validated',
    tests: [[monitoring, 'A8: every message is validated, and the reply to a wrong one says what is wrong']],
  },
  {
    row: 'a9',
    does: 'compression, batches, caps in total and per address',
    tests: [[monitoring, 'A9']],
  },
  {
    row: 'a10',
    does: 'a thousand connections; history, several instances, a panel, tokens, rate limits, load tests',
    tests: [
      [monitoring, 'A10: a thousand connections all get an update, and a history keeps it'],
      ['grafana.test.ts', 'the Grafana dashboard'],
      ['engines/redis/nodes.test.ts', 'nodes of one Redis'],
      ['security/tokens.test.ts', 'tokens of an identity provider'],
    ],
  },
  {
    row: 'b1',
    does: 'each connection is known with its times, subscriptions and messages',
    tests: [[market, 'B1: each connection is known with its times, subscriptions and messages']],
  },
  {
    row: 'b2',
    does: 'a bounded queue; bursts are smoothed',
    tests: [[market, 'B2: a burst arrives whole and in order; what a client can never have is named']],
  },
  {
    row: 'b3',
    does: 'broadcasts to the subscribers of a symbol, and to all',
    tests: [
      [
        market,
        'B3: a price goes to the subscribers of its symbol, a notice to all; broken connections are removed',
      ],
    ],
  },
  {
    row: 'b4',
    does: 'get_status',
    tests: [
      [market, 'B4: a status says when it connected, what it is subscribed to, and how much it was sent'],
    ],
  },
  {
    row: 'b5',
    does: 'its stats',
    tests: [[market, 'B5: stats count connections, messages and symbols of this system only']],
  },
  {
    row: 'b6',
    does: 'a broadcast to 100 is quick; measured in bench/README.md',
    tests: [[market, 'B6: a broadcast to 100 subscribers is encoded once']],
  },
  {
    row: 'b7',
    does: '1000 connections and messages a second, measured in bench/README.md; rate limits',
    tests: [
      [market, 'B7: a client that sends too much is told so in its own words, and harms no other'],
      ['e2e/delivery.test.ts', '1000 sockets on one topic'],
    ],
  },
  {
    row: 'c1',
    does: 'its topics and types',
    tests: [[administration, 'C1: all topics and types are what they were']],
  },
  {
    row: 'c2',
    does: 'events merge in a window; a batch keeps at most 10',
    tests: [[administration, 'C2: events that follow each other leave in batches of at most 10']],
  },
  {
    row: 'c3',
    does: 'a helper per kind of broadcast, and a bridge from an event bus',
    tests: [
      [administration, 'C3: each kind of broadcast has a helper, whose message the old clients get'],
      [administration, 'C3: the events of an application’s bus are forwarded, until that is stopped'],
    ],
  },
  {
    row: 'c4',
    does: 'each client gets an id',
    tests: [[administration, 'C4: each client gets an id on connecting']],
  },
  {
    row: 'c5',
    does: 'its client: backoff, queue while offline, callbacks, heartbeat, status',
    tests: [
      [administration, 'C5: the old page shows its state, comes back by itself, and sends what it kept'],
      [
        administration,
        'C5: the SDK reconnects, keeps 100 messages meanwhile, tells its state, and loses nothing',
      ],
      ['client/connection/backoff.test.ts', 'waits the delays themselves without jitter'],
      ['client/connection/backoff.test.ts', 'has no end by default, and ends after `maxAttempts`'],
      [
        'client/connection/connection.test.ts',
        'pings at once and every 30 seconds, and tells the gateway the last round trip',
      ],
    ],
  },
  {
    row: 'c6',
    does: 'task cards, a log stream that pauses, charts',
    tests: [
      [administration, 'C6: a log stream pauses and goes on without a loss; a task shows its progress'],
      ['web/dashboard.e2e.test.ts', 'shows values of this machine that change by themselves'],
    ],
  },
  {
    row: 'd1',
    does: 'one user, many connections; rooms; stats',
    tests: [[notifications, 'D1: one user, many connections']],
  },
  {
    row: 'd2',
    does: 'its types',
    tests: [
      [notifications, 'D2: messages have the types that they had, and a wrong one is answered with an error'],
    ],
  },
  {
    row: 'd3',
    does: 'to a user, to a user’s other devices, to a room, to all or some',
    tests: [[notifications, 'D3: who is told']],
  },
  {
    row: 'd4',
    does: 'its routes',
    tests: [
      ['compat/notifications.test.ts', 'the clients of the knowledge platform'],
      ['compat/together.test.ts', 'the five systems on one gateway'],
    ],
  },
  {
    row: 'd5',
    does: 'React hooks, a status component, a page to try it',
    tests: [
      ['client/react/hooks.test.tsx', 'useTopic'],
      ['client/react/hooks.test.tsx', 'useRecent shows the newest publications, those from before first'],
      ['client/react/hooks.test.tsx', 'is described in words, counts down, and can be tried at once'],
      ['web/try.e2e.test.ts', 'the page to try everything by hand'],
    ],
  },
  {
    row: 'd6',
    does: 'a notification is stored and pushed; who is offline gets it on coming back',
    tests: [
      [notifications, 'D6: a notification is stored, then pushed'],
      ['e2e/inbox.test.ts', 'what a user has had and has not had is known after the gateway was killed'],
    ],
  },
  {
    row: 'd7',
    does: 'tokens, own topics only, a cap per user, validation, origins',
    tests: [
      [notifications, 'D7: users'],
      [notifications, 'D7: are capped per user'],
      ['compat/together.test.ts', 'admit no page of a foreign origin, and no client without a credential'],
    ],
  },
  {
    row: 'd8',
    does: 'a monitoring panel, persistence, a cluster, new kinds of messages',
    tests: [
      ['grafana.test.ts', 'the Grafana dashboard'],
      ['e2e/sse.test.ts', 'a stream resumes after the gateway was started again on the same data'],
      ['engines/redis/nodes.test.ts', 'nodes of one Redis'],
      ['gateway.test.ts', 'an embedded gateway'],
    ],
  },
  {
    row: 'e1',
    does: 'progress, completion and errors of jobs',
    tests: [[jobs, 'E1: a job tells its progress, and that it has ended: %s']],
  },
  {
    row: 'e2',
    does: 'members of a job’s room only',
    tests: [[jobs, 'E2: only sessions that joined a job hear of it, until they leave']],
  },
  {
    row: 'e3',
    does: 'polling, by itself where there is no socket, and back',
    tests: [
      [jobs, 'E3: who polls sees what who listens was told; an unknown job is not found'],
      [jobs, 'E3: a client that gets no socket polls by itself, returns to the socket, and misses nothing'],
    ],
  },
  {
    row: 'e4',
    does: 'a queue while offline; no duplicates; clear errors; the end of retries',
    tests: [[jobs, 'E4']],
  },
  {
    row: 'e5',
    does: 'only who may, joins; handshakes are limited; ids are sanitised',
    tests: [[jobs, 'E5']],
  },
  {
    row: 'e6',
    does: 'on or off, port, origins by its environment',
    tests: [[jobs, 'E6: what its environment said']],
  },
  {
    row: 'e7',
    does: 'updates in a tenth of a second; connections succeed',
    tests: [[jobs, 'E7']],
  },
];
