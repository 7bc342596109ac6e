import { expect, test } from 'vitest';
import { createMetrics } from '../../../src/metrics.ts';
import type { Session } from '../../../src/sessions/session.ts';
import type { StreamCursors } from '../../../src/sessions/subscriptions/stream-cursors.ts';
import { SseConnection, type StreamResponse } from '../../../src/transport/uws/sse-connection.ts';
import { StreamSink } from '../../../src/transport/uws/stream-sink.ts';

/** A stream whose socket says that it takes everything, on a clock of its own. */
function open() {
  const metrics = createMetrics({ processMetrics: false });
  const cursors = { startOf: () => undefined } as unknown as StreamCursors;
  const clock = { nowMs: 0 };
  const suspected: number[] = [];
  const response = {
    write: () => true,
    cork: (run: () => void) => run(),
    onWritable: () => undefined,
  } as unknown as StreamResponse;
  const sink = new StreamSink<SseConnection>({ transport: 'sse', cursors, metrics, closed: () => undefined });
  const connection = new SseConnection(
    {
      sink,
      cursors,
      backpressureMaxBytes: 1_000_000,
      sentBytes: metrics.sentBytesTotal,
      monotonicMs: () => clock.nowMs,
      suspect: () => suspected.push(clock.nowMs),
    },
    { response, names: 'message', acknowledges: undefined, subscriptions: '' },
  );
  connection.begin(
    { views: { unpark: () => undefined } } as unknown as Session,
    () => undefined,
    () => undefined,
  );
  const send = (count: number) => {
    for (let i = 0; i < count; i++) connection.send(new TextEncoder().encode('x'.repeat(1024)));
  };
  /** Whether the library is asked at this time whether it holds something. */
  const asksAt = (nowMs: number) => {
    clock.nowMs = nowMs;
    suspected.length = 0;
    connection.beat(nowMs, 15_000, 30_000);
    return suspected.length > 0;
  };
  return { connection, send, asksAt };
}

test('a stream that is silent for a second after much was written in small pieces is asked for a remainder', () => {
  const { connection, send, asksAt } = open();
  send(7);
  expect([asksAt(999), asksAt(1000)]).toEqual([false, false]);
  send(1);
  expect([asksAt(1999), asksAt(2000)]).toEqual([false, true]);
  while (connection.probe()) expect(connection.bufferedBytes()).toBe(0);
  // It holds nothing.
  expect(asksAt(4000)).toBe(false);
});
