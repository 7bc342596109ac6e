import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import WebSocket from 'ws';
import { join, type Target } from './sockets.ts';

/** Calls of one client that wait for their replies. */
const callsAtATime = 32;
/** Pieces of one byte of each response, and the time between two of them. */
const pieces = 100;
const pieceEveryMs = 2;

/** Starts an application that drips its responses. Resolves with its URL. */
export function drippingApplication(): Promise<string> {
  const server = createServer(async (request, response) => {
    const asked = await text(request).catch(() => '');
    await drip(response, asked.includes('"hook":"subscribe"') ? '{"allow":true' : '{"data":""');
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    );
  });
}

/** `head`: an object that is not closed yet. */
async function drip(response: ServerResponse, head: string): Promise<void> {
  response.write(head);
  for (let piece = 0; piece < pieces && !response.destroyed; piece++) {
    response.write(' ');
    await setTimeout(pieceEveryMs);
  }
  response.end('}');
}

/** Clients that call with 60 kB, as often as they may at a time, and again once they have a reply, for 3 s. */
export async function callOn(target: Target, clients: number): Promise<void> {
  const endMs = performance.now() + 3000;
  const data = 'x'.repeat(60_000);
  const one = async (): Promise<void> => {
    const socket = await join(target);
    let id = 10;
    const call = () => {
      if (performance.now() < endMs)
        socket.send(JSON.stringify({ type: 'call', id: ++id, method: 'any', data }));
    };
    socket.on('message', call);
    for (let i = 0; i < callsAtATime; i++) call();
    await setTimeout(endMs - performance.now());
  };
  await Promise.all(Array.from({ length: clients }, one));
}

/** Clients that subscribe to 100 topics and end that, four times in 20 ms, for 3 s. One that is ended is replaced. */
export async function wishOn(target: Target, clients: number): Promise<void> {
  const endMs = performance.now() + 3000;
  const topics = Array.from({ length: 100 }, (_, i) => `${'t'.repeat(190)}${i}`);
  const subscribe = JSON.stringify({
    type: 'subscribe',
    id: 9,
    subscriptions: topics.map((topic) => ({ topic })),
  });
  const unsubscribe = JSON.stringify({ type: 'unsubscribe', id: 10, topics });
  const one = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const socket = await join(target);
      while (performance.now() < endMs && socket.readyState === WebSocket.OPEN) {
        for (let i = 0; i < 4 && socket.bufferedAmount < 2_000_000; i++) {
          socket.send(subscribe);
          socket.send(unsubscribe);
        }
        await setTimeout(20);
      }
      await setTimeout(20);
    }
  };
  await Promise.all(Array.from({ length: clients }, one));
}
