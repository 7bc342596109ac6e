import type * as Uws from 'uWebSockets.js';
import { createRequire } from 'node:module';
import type { PublishJob, PublishReport } from '../load/publisher.ts';
import { pace } from '../support/pacer.ts';
import { StampedPayloads } from '../support/payload.ts';
import { serveCalls, settledRssBytes } from '../support/worker.ts';

/** The limit to stand next to: uWebSockets.js alone, which publishes in its own process what nobody orders or keeps. */

const uws = createRequire(import.meta.url)('uWebSockets.js') as typeof Uws;
const app = uws.App();

export interface RawOptions {
  /** Each connection is subscribed to so many topics. */
  readonly topics: number;
  /** 0: a frame per message; otherwise all messages of so many milliseconds stand in one. */
  readonly batchMs: number;
}

let batchMs = 0;

function start(options: RawOptions): Promise<number> {
  batchMs = options.batchMs;
  app.ws('/ws', {
    maxBackpressure: 1024 * 1024,
    idleTimeout: 60,
    open(socket) {
      for (let i = 0; i < options.topics; i++) socket.subscribe(`topic${i}`);
      socket.send('ready');
    },
  });
  return new Promise((resolve) => {
    app.listen('127.0.0.1', 0, (socket) => resolve(uws.us_socket_local_port(socket as never)));
  });
}

/** To the first topic, whatever it is called. */
async function publish({ rate, seconds, bytes }: PublishJob): Promise<PublishReport> {
  const payloads = new StampedPayloads(bytes, 1);
  const send = (message: Buffer) => app.publish('topic0', message, false, false);
  if (batchMs === 0) {
    const { sent, latestMs } = await pace(rate, seconds, () => send(payloads.next()));
    return { sent, latestMs, failed: 0 };
  }
  let pending: Buffer[] = [];
  const flush = (): void => {
    if (pending.length > 0) send(Buffer.concat(pending));
    pending = [];
  };
  const timer = setInterval(flush, batchMs);
  const { sent, latestMs } = await pace(rate, seconds, () => pending.push(payloads.next()));
  clearInterval(timer);
  flush();
  return { sent, latestMs, failed: 0 };
}

const handlers = { start, publish, rssBytes: settledRssBytes };
export type RawCalls = typeof handlers;
serveCalls(handlers);
