import type { TemplatedApp, WebSocketBehavior } from 'uWebSockets.js';
import { expect, test } from 'vitest';
import { anonymousIdentity } from '../../../src/auth/identity.ts';
import type { Receiver } from '../../../src/fanout/sink.ts';
import { eventLoop } from '../../../src/fanout/turns.ts';
import type { Session } from '../../../src/sessions/session.ts';
import type { Socket, SocketData } from '../../../src/transport/uws/connection.ts';
import { RequestTurn } from '../../../src/transport/uws/request-turn.ts';
import { UwsSink } from '../../../src/transport/uws/sink.ts';
import type { UpgradeHandler } from '../../../src/transport/uws/upgrade.ts';
import { WebSockets } from '../../../src/transport/uws/websocket.ts';
import { jsonCodec } from '../../support/codecs.ts';
import { RecordedMetrics } from '../../support/metrics.ts';

test('a connection is forgotten when it ends, and counted once each time', () => {
  const behaviors: WebSocketBehavior<SocketData>[] = [];
  const app = {
    ws: (_: string, behavior: WebSocketBehavior<SocketData>) => void behaviors.push(behavior),
    any: () => undefined,
  } as unknown as TemplatedApp;
  const connections = new Set<string>();
  const counts = new RecordedMetrics();
  const told: string[] = [];
  const views = { id: 's1' };
  const session = { views, endedBy: undefined, wasEnded: () => undefined } as unknown as Session;
  new WebSockets({
    upgradeHandler: undefined as unknown as UpgradeHandler,
    sessions: { open: () => session, close: () => 'client' } as never,
    frameMaxBytes: 1024,
    idleTimeoutSeconds: 60,
    backpressureMaxBytes: 4096,
    monotonicMs: () => 0,
    metrics: counts.metrics,
    turn: new RequestTurn(eventLoop),
    upgraded: () => told.push('upgraded'),
  }).serve(app, {
    transport: 'websocket',
    add: ({ id }: Receiver) => connections.add(id),
    remove: ({ id }: Receiver) => connections.delete(id),
    get connectionCount() {
      return connections.size;
    },
  } as never);
  const seat = { move: () => undefined, leave: () => undefined };
  const peer = { identity: anonymousIdentity, address: 'a', addressKey: 'a', seat };
  const data: SocketData = {
    opening: { peer, codec: jsonCodec, topic: undefined, startedAtMs: 0 },
    connection: undefined,
  };
  const socket = { getUserData: () => data } as unknown as Socket;
  behaviors[0]?.open?.(socket);
  expect([...connections]).toEqual(['s1']);
  behaviors[0]?.close?.(socket, 1000, new ArrayBuffer(0));
  expect(connections.size).toBe(0);
  expect(told).toEqual(['upgraded']);
  expect(counts.labels('connectionsTotal')).toEqual(['websocket']);
  expect(counts.labels('connectionsClosedTotal')).toEqual(['client']);
});

test('a sink knows no socket that has ended', () => {
  const sink = new UwsSink({} as TemplatedApp, new RecordedMetrics().metrics);
  const receiver = { id: 's1', isSubscribedTo: () => false } as unknown as Receiver;
  const connection = { receiver, socket: {} } as unknown as Parameters<UwsSink['add']>[1];
  sink.add(receiver, connection);
  expect(sink.openSocket()).toBe(connection.socket);
  sink.remove(receiver, 0);
  expect(sink.openSocket()).toBeUndefined();
});
