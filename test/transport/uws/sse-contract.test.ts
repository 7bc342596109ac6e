import { setImmediate as nextTurn } from 'node:timers/promises';
import { anonymousIdentity } from '../../../src/auth/identity.ts';
import type { CloseCode } from '../../../src/errors.ts';
import { eventLoop } from '../../../src/fanout/schedule.ts';
import type { Admission } from '../../../src/sessions/admission/admission.ts';
import { HeldBytes } from '../../../src/sessions/limits/charges.ts';
import type { Session } from '../../../src/sessions/session.ts';
import { StreamCursors } from '../../../src/sessions/subscriptions/stream-cursors.ts';
import { RequestIds } from '../../../src/transport/request-ids.ts';
import { listen } from '../../../src/transport/uws/listen.ts';
import { loadUws } from '../../../src/transport/uws/load.ts';
import { RequestTurn } from '../../../src/transport/uws/request-turn.ts';
import { EventStreams } from '../../../src/transport/uws/sse.ts';
import { StreamReads } from '../../../src/transport/uws/stream-reads.ts';
import { peerOf } from '../../sessions/fixtures.ts';
import { codecs } from '../../support/codecs.ts';
import { SseClient } from '../../support/sse-client.ts';
import { type Far, type Gateway, sinkContract, type Transport } from '../sink-contract.ts';

const applicant = { address: '192.0.2.1', addressKey: '192.0.2.1', account: '', origin: '', credential: '' };

async function open(gateway: Gateway, backpressureMaxBytes: number): Promise<Transport> {
  const uws = loadUws();
  const app = uws.App();
  const { sessions, counts, connectionLimits, broker } = gateway;
  const opened: Session[] = [];
  const openSession = sessions.open.bind(sessions);
  sessions.open = (...args) => {
    const session = openSession(...args);
    opened.push(session);
    return session;
  };
  const held = new HeldBytes({ perPayer: 1e6, total: 1e6 });
  const streams = new EventStreams({
    readApplicant: () => ({ ...applicant, fallback: anonymousIdentity }),
    admission: {
      ask: () => undefined,
      identify: () => anonymousIdentity,
      admit: () => peerOf(anonymousIdentity, connectionLimits),
    } as unknown as Admission,
    incoming: held,
    reads: new StreamReads({
      limits: { workWaitMs: () => 0, spent: () => undefined },
      workMs: () => 0,
      turns: eventLoop,
      metrics: counts.metrics,
    }),
    unread: held,
    bodyMaxBytes: 1000,
    sessions,
    cursors: new StreamCursors(broker.commits),
    withCors: (answer) => answer,
    backpressureMaxBytes,
    heartbeatMs: 1e9,
    writeTimeoutMs: 1e9,
    requestIds: new RequestIds({ hasProxies: () => false, isProxy: () => false }),
    turn: new RequestTurn(eventLoop),
    connections: { areEnding: false },
    reconnectSpreadMs: 1000,
    monotonicMs: () => 0,
    metrics: counts.metrics,
  });
  const { sink } = streams;
  streams.serve(app);
  const { port } = await listen(uws, app, '127.0.0.1', 0);
  const clients: SseClient[] = [];
  return {
    sink,
    async connect(): Promise<Far> {
      const opening = SseClient.open({ port, path: '/sse' });
      let client: SseClient | undefined;
      void opening.then((each) => {
        client = each;
      });
      while (client === undefined) {
        await gateway.settle();
        await nextTurn();
      }
      clients.push(client);
      const session = opened.at(-1) as Session;
      const { events } = client;
      return {
        session,
        get messages() {
          return events.map(({ data }) => Buffer.from(data));
        },
        get ended(): CloseCode | 'terminated' | undefined {
          if (!client?.ended) return undefined;
          return client.complete ? session.endedBy : 'terminated';
        },
        pause: () => client?.pause(),
        resume: () => client?.resume(),
      };
    },
    close() {
      for (const client of clients) client.close();
      app.close();
    },
  };
}

sinkContract({
  name: 'Server-Sent Events',
  open,
  backpressureMaxBytes: 256 * 1024,
  overflowBytes: 12_000_000,
  formats: [codecs.json],
});
