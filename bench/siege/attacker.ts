import { connect } from 'node:net';
import { serveCalls } from '../support/worker.ts';
import { type AttackName, attacks } from './attacks.ts';
import { drippingApplication } from './calling.ts';
import type { Target } from './sockets.ts';

export interface AttackerCalls extends Readonly<Record<string, (argument: never) => unknown>> {
  readonly attack: (argument: { readonly name: AttackName; readonly target: Target }) => Promise<void>;
  /** Resolves with its URL. */
  readonly application: () => Promise<string>;
  readonly storm: (argument: Handshakes) => Promise<Handshaken>;
}

export interface Handshakes {
  readonly port: number;
  readonly token: string;
  readonly localAddress: string;
  readonly count: number;
  /** At a time. */
  readonly inFlight: number;
}

export interface Handshaken {
  /** They stay open. */
  readonly opened: number;
  /** Told that there are too many connections. */
  readonly refused: number;
}

// Its sockets end with it, in whatever state they are.
process.on('uncaughtException', () => undefined);

serveCalls({
  attack: ({ name, target }: { readonly name: AttackName; readonly target: Target }) =>
    attacks[name].run(target),
  application: drippingApplication,
  storm,
} satisfies AttackerCalls);

async function storm({ count, inFlight, ...each }: Handshakes): Promise<Handshaken> {
  const statuses: string[] = [];
  let begun = 0;
  const one = async (): Promise<void> => {
    while (begun++ < count) statuses.push(await handshake(each));
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  const times = (status: string) => statuses.filter((other) => other === status).length;
  return { opened: times('101'), refused: times('503') };
}

/** Characters of a response until its status is known. */
const statusEnd = 'HTTP/1.1 101'.length;

/** Resolves with the status, and ends what was refused; empty: the connection ended without one. */
function handshake({
  port,
  token,
  localAddress,
}: Pick<Handshakes, 'port' | 'token' | 'localAddress'>): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(''));
    let head = '';
    socket.on('data', (data: Buffer) => {
      if (head.length >= statusEnd) return;
      // The head of an upgrade may come in pieces, the first of which ends before the status.
      head += data.toString('latin1');
      if (head.length < statusEnd) return;
      const status = head.slice(statusEnd - 3, statusEnd);
      resolve(status);
      if (status !== '101') socket.resetAndDestroy();
    });
    socket.write(
      `GET /ws?token=${token} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
  });
}
