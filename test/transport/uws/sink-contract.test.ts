import { once } from 'node:events';
import WebSocket from 'ws';
import { anonymousIdentity } from '../../../src/auth/identity.ts';
import { type CloseCode, closeTable } from '../../../src/errors.ts';
import { eventLoop } from '../../../src/fanout/turns.ts';
import type { Session } from '../../../src/sessions/session.ts';
import type { SocketData } from '../../../src/transport/uws/connection.ts';
import { listen } from '../../../src/transport/uws/listen.ts';
import { loadUws } from '../../../src/transport/uws/load.ts';
import { RequestTurn } from '../../../src/transport/uws/request-turn.ts';
import { UwsSink } from '../../../src/transport/uws/sink.ts';
import type { UpgradeHandler } from '../../../src/transport/uws/upgrade.ts';
import { WebSockets } from '../../../src/transport/uws/websocket.ts';
import { peerOf } from '../../sessions/fixtures.ts';
import { codecs } from '../../support/codecs.ts';
import { type Far, type Gateway, sinkContract, type Transport } from '../sink-contract.ts';

/** Lets every client in, with the codec that its subprotocol names. */
function openDoor({ connectionLimits }: Gateway): UpgradeHandler {
  const upgrade: UpgradeHandler['upgrade'] = (response, request, context) => {
    const subprotocol = request.getHeader('sec-websocket-protocol');
    const codec = subprotocol === codecs.json.subprotocol ? codecs.json : codecs.protobuf;
    const peer = peerOf(anonymousIdentity, connectionLimits);
    const opening = { peer, codec, topic: undefined, startedAtMs: 0 };
    response.upgrade<SocketData>(
      { opening, connection: undefined },
      request.getHeader('sec-websocket-key'),
      subprotocol,
      '',
      context,
    );
  };
  return { upgrade } as UpgradeHandler;
}

function closeCodeOf(number: number): CloseCode | 'terminated' {
  const found = Object.entries(closeTable).find(([, spec]) => spec.number === number);
  return (found?.[0] as CloseCode | undefined) ?? 'terminated';
}

async function open(gateway: Gateway, backpressureMaxBytes: number): Promise<Transport> {
  const uws = loadUws();
  const app = uws.App();
  const { metrics } = gateway.counts;
  const sink = new UwsSink(app, metrics);
  const opened: Session[] = [];
  const { sessions } = gateway;
  const openSession = sessions.open.bind(sessions);
  sessions.open = (peer, connection) => {
    const session = openSession(peer, connection);
    opened.push(session);
    return session;
  };
  new WebSockets({
    upgradeHandler: openDoor(gateway),
    sessions,
    frameMaxBytes: 65_536,
    idleTimeoutSeconds: 60,
    backpressureMaxBytes,
    monotonicMs: () => 0,
    metrics,
    turn: new RequestTurn(eventLoop),
    upgraded: () => undefined,
  }).serve(app, sink);
  const { port } = await listen(uws, app, '127.0.0.1', 0);
  const sockets: WebSocket[] = [];
  return {
    sink,
    async connect(codec): Promise<Far> {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, codec.subprotocol);
      sockets.push(socket);
      const messages: Uint8Array[] = [];
      let ended: CloseCode | 'terminated' | undefined;
      socket.on('message', (data: Buffer) => messages.push(new Uint8Array(data)));
      socket.on('error', () => undefined);
      socket.on('close', (code) => {
        ended = closeCodeOf(code);
      });
      await once(socket, 'open');
      return {
        session: opened.at(-1) as Session,
        messages,
        get ended() {
          return ended;
        },
        pause: () => socket.pause(),
        resume: () => socket.resume(),
      };
    },
    close() {
      for (const socket of sockets) socket.terminate();
      app.close();
    },
  };
}

// The kernel's buffers of a loopback connection take some MB before the gateway's own begins to fill.
sinkContract({ name: 'uWebSockets.js', open, backpressureMaxBytes: 256 * 1024, overflowBytes: 12_000_000 });
