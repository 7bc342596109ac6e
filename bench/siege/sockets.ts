import { Agent, get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import WebSocket from 'ws';

/** The target of an attack, and its credential. */
export interface Target {
  readonly port: number;
  /** The least privileged valid credential; undefined: none. */
  readonly token: string | undefined;
}

/** Attackers come from an address of their own. */
const attackerAddress = '127.0.0.9';

export function open(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: attackerAddress });
    socket.on('connect', () => resolve(socket));
    // The gateway may close an attacker's connection.
    socket.on('error', () => resolve(socket));
  });
}

/** Sends the text again and again on 60 sockets, for 3 s. A socket that is ended is replaced. */
export async function flood(port: number, text: string): Promise<void> {
  const endMs = performance.now() + 3000;
  const one = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const socket = await open(port);
      socket.resume();
      socket.setMaxListeners(0);
      const ended = new Promise((resolve) => socket.once('close', resolve));
      while (performance.now() < endMs && !socket.destroyed)
        if (!socket.write(text)) {
          const drained = new Promise((resolve) => socket.once('drain', resolve));
          await Promise.race([ended, drained, setTimeout(100)]);
        }
      await setTimeout(20);
    }
  };
  await Promise.all(Array.from({ length: 60 }, one));
}

/** Clients that ask again and again, each once it has the answer to its last question, for 3 s. */
export async function askOn({ port, token }: Target, path: string, clients: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, localAddress: attackerAddress });
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const ask = () =>
    new Promise((resolve) => {
      const request = get({ host: '127.0.0.1', port, path, agent, headers }, (response) =>
        response.once('close', resolve).resume(),
      );
      request.on('error', resolve);
    });
  const endMs = performance.now() + 3000;
  const one = async (): Promise<void> => {
    while (performance.now() < endMs) await ask();
  };
  await Promise.all(Array.from({ length: clients }, one));
  agent.destroy();
}

/** The same request `count` times at once, each on a socket of its own. */
export async function post(
  { port, token }: Target,
  path: string,
  count: number,
  body: string,
  contentType = 'application/json',
): Promise<void> {
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${authorization}Content-Type: ${contentType}\r\nContent-Length: ${body.length}\r\n\r\n`;
  for (let i = 0; i < count; i++) (await open(port)).write(head + body);
}

/** The same again and again. */
export async function postOn(
  target: Target,
  path: string,
  count: number,
  bodyOf: (batch: number) => string,
  forMs = 3000,
): Promise<void> {
  const endMs = performance.now() + forMs;
  for (let batch = 0; performance.now() < endMs; batch++) {
    await post(target, path, count, bodyOf(batch));
    await setTimeout(20);
  }
}

/** Sends frames without a payload on 40 WebSockets, for 3 s. One that is ended is replaced. */
export async function floodFrames(target: Target, head: number): Promise<void> {
  const frames = Buffer.concat(Array(60_000).fill(Buffer.from([head, 0x80, 0, 0, 0, 0])));
  const endMs = performance.now() + 3000;
  const one = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const socket = (await join(target)) as WebSocket & { readonly _socket?: Socket };
      for (let sent = 0; sent < 20; sent++) socket._socket?.write(frames);
      while (performance.now() < endMs && socket.readyState === WebSocket.OPEN) await setTimeout(20);
    }
  };
  await Promise.all(Array.from({ length: 40 }, one));
}

/** Messages of this size that lack their last byte. */
export async function sendUnfinished(target: Target, clients: number, bytes: number): Promise<void> {
  const head = Buffer.alloc(14);
  head.writeUInt16BE(0x81ff);
  head.writeUInt32BE(bytes, 6);
  const message = Buffer.concat([head, Buffer.alloc(bytes - 1)]);
  const one = async (): Promise<void> => {
    const socket = (await join(target)) as WebSocket & { readonly _socket?: Socket };
    socket._socket?.write(message);
  };
  await Promise.all(Array.from({ length: clients }, one));
  await setTimeout(3000);
}

export async function join(
  { port, token }: Target,
  subprotocols: string[] = [],
  path = '/ws',
): Promise<WebSocket> {
  const query = token === undefined ? '' : `?token=${token}`;
  const url = `ws://127.0.0.1:${port}${path}${query}`;
  const socket = new WebSocket(url, subprotocols, { localAddress: attackerAddress });
  await new Promise<void>((resolve) => {
    socket.on('open', () => resolve());
    socket.on('error', () => resolve());
  });
  return socket;
}
