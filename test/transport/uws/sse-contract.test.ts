import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CloseCode } from '../../../src/errors.ts';
import type { Session } from '../../../src/sessions/session.ts';
import { listen } from '../../../src/transport/uws/listen.ts';
import { loadUws } from '../../../src/transport/uws/load.ts';
import { EventStreams } from '../../../src/transport/uws/sse.ts';
import { codecs } from '../../support/codecs.ts';
import { SseClient } from '../../support/sse-client.ts';
import { type Far, type Gateway, sinkContract, type Transport } from '../sink-contract.ts';
import { streamParts } from './stream-parts.ts';

async function open(gateway: Gateway, backpressureMaxBytes: number): Promise<Transport> {
  const uws = loadUws();
  const app = uws.App();
  const { sessions } = gateway;
  const opened: Session[] = [];
  const openSession = sessions.open.bind(sessions);
  sessions.open = (...args) => {
    const session = openSession(...args);
    opened.push(session);
    return session;
  };
  const streams = new EventStreams({
    ...streamParts(gateway, backpressureMaxBytes),
    heartbeatMs: 1e9,
    writeTimeoutMs: 1e9,
    reconnectSpreadMs: 1000,
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
