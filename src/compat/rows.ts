import type { SystemName } from './systems.ts';

/** What one of the systems did. */
export interface Row {
  /** `a3`: the third of system a. */
  readonly row: `${SystemName}${number}`;
  readonly does: string;
  /** Tests of it apart from those of the system: the file below `test/`, and the title of a test or group there. */
  readonly elsewhere: readonly (readonly [file: string, title: string])[];
}

/** The tests of each system, below `test/systems/`. The title of each begins with its row: `A3: …`. */
export const systemTests: Readonly<Record<SystemName, string>> = {
  a: 'server-monitoring.test.ts',
  b: 'market-data.test.ts',
  c: 'web-administration.test.ts',
  d: 'notifications.test.ts',
  e: 'job-progress.test.ts',
};

/** Each row, and its tests elsewhere as `file: title`. */
const did: Readonly<Record<SystemName, readonly (readonly [does: string, ...elsewhere: string[]])[]>> = {
  a: [
    ['connections are tracked and cleaned up; counts of connections, messages, bytes'],
    [
      'heartbeats, configurable; clients reconnect by themselves',
      'client/connection/connection.test.ts: pings at once and every 25 seconds, and tells the gateway the last round trip',
    ],
    ['subscriptions by server, monitoring type and alert level'],
    ['updates for those concerned; a failing connection harms no other'],
    [
      'a scheduled full refresh, and a push at once on a change',
      'compat/server-monitoring.test.ts: get all values again at each refresh, and a change of status at once',
    ],
    ['a failed push is tried again, three times; successes and errors are counted'],
    ['its routes', 'compat/server-monitoring.test.ts: the clients of server monitoring'],
    ['its types; every message is validated'],
    ['compression, batches, caps in total and per address'],
    [
      'a thousand connections; history, several instances, a panel, tokens, rate limits, load tests',
      'grafana.test.ts: the Grafana dashboard',
      'engines/redis/nodes.test.ts: nodes of one Redis',
      'security/tokens.test.ts: tokens of an identity provider',
    ],
  ],
  b: [
    ['each connection is known with its times, subscriptions and messages'],
    ['a bounded queue; bursts are smoothed'],
    ['broadcasts to the subscribers of a symbol, and to all'],
    ['get_status'],
    ['its stats'],
    ['a broadcast to 100 is quick; measured in bench/README.md'],
    [
      '1000 connections and messages a second, measured in bench/README.md; rate limits',
      'e2e/delivery.test.ts: 1000 sockets on one topic',
    ],
  ],
  c: [
    ['its topics and types'],
    ['events merge in a window; a batch keeps at most 10'],
    ['a helper per kind of broadcast, and a bridge from an event bus'],
    ['each client gets an id'],
    [
      'its client: backoff, queue while offline, callbacks, heartbeat, status',
      'client/connection/backoff.test.ts: waits the delays themselves without jitter',
      'client/connection/backoff.test.ts: has no end by default, and ends after `maxAttempts`',
      'client/connection/connection.test.ts: pings at once and every 25 seconds, and tells the gateway the last round trip',
    ],
    [
      'task cards, a log stream that pauses, charts',
      'web/dashboard.e2e.test.ts: shows values of this machine that change by themselves',
    ],
  ],
  d: [
    ['one user, many connections; rooms; stats'],
    ['its types'],
    ['to a user, to a user’s other devices, to a room, to all or some'],
    [
      'its routes',
      'compat/notifications.test.ts: the clients of the knowledge platform',
      'compat/together.test.ts: the five systems on one gateway',
    ],
    [
      'React hooks, a status component, a page to try it',
      'client/react/hooks.test.tsx: useTopic',
      'client/react/hooks.test.tsx: useRecent shows the newest publications, those from before first',
      'client/react/hooks.test.tsx: is described in words, counts down, and can be tried at once',
      'web/try.e2e.test.ts: the page to try everything by hand',
    ],
    [
      'a notification is stored and pushed; who is offline gets it on coming back',
      'e2e/inbox.test.ts: what a user has had and has not had is known after the gateway was killed',
    ],
    [
      'tokens, own topics only, a cap per user, validation, origins',
      'compat/together.test.ts: admit no page of a foreign origin, and no client without a credential',
    ],
    [
      'a monitoring panel, persistence, a cluster, new kinds of messages',
      'grafana.test.ts: the Grafana dashboard',
      'e2e/sse.test.ts: a stream resumes after the gateway was started again on the same data',
      'engines/redis/nodes.test.ts: nodes of one Redis',
      'gateway.test.ts: an embedded gateway',
    ],
  ],
  e: [
    ['progress, completion and errors of jobs'],
    ['members of a job’s room only'],
    ['polling, by itself where there is no socket, and back'],
    ['a queue while offline; no duplicates; clear errors; the end of retries'],
    ['only who may, joins; handshakes are limited; ids are sanitised'],
    ['on or off, port, origins by its environment'],
    ['updates in a tenth of a second; connections succeed'],
  ],
};

/** Everything that the five systems did. test/docs.test.ts holds the rows to the tests that there are. */
export const rows: readonly Row[] = (Object.keys(did) as SystemName[]).flatMap((system) =>
  did[system].map(([does, ...elsewhere], index) => ({
    row: `${system}${index + 1}`,
    does,
    elsewhere: elsewhere.map((test) => test.split(/: (.*)/s) as unknown as [string, string]),
  })),
);
