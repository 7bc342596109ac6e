import { setTimeout } from 'node:timers/promises';
import type WebSocket from 'ws';
import { askOn, join, type Target } from './sockets.ts';

/** Patterns that match all topics of the siege, or a part of them. */
const prefixes = ['d', 'de', 'dev', 'dev1', 'dev2', 'dev3', 'dev4', 'dev5', 'dev6', 'dev7'] as const;

/** Clients that subscribe to ten patterns and end that again, each once it has its replies, for 3 s. */
export async function subscribeOn(target: Target, clients: number, more = (): object => ({})): Promise<void> {
  const endMs = performance.now() + 3000;
  const topics = prefixes.map((prefix) => `${prefix}*`);
  const one = async (): Promise<void> => {
    const socket = await join(target);
    for (let id = 10; performance.now() < endMs; id += 2) {
      const options = more();
      const subscriptions = topics.map((topic) => ({ topic, ...options }));
      socket.send(JSON.stringify({ type: 'subscribe', id, subscriptions }));
      socket.send(JSON.stringify({ type: 'unsubscribe', id: id + 1, topics }));
      await Promise.race([replied(socket, id + 1), setTimeout(endMs - performance.now())]);
    }
  };
  await Promise.all(Array.from({ length: clients }, one));
}

/** The same with the last publications of each topic, each time by another filter, which all of them match. */
export async function filterOn(target: Target, clients: number): Promise<void> {
  let round = 0;
  const filterNow = () => ({ op: 'not', filters: [{ op: 'eq', tag: 'a', value: `${++round}` }] });
  await subscribeOn(target, clients, () => ({ last: 1000, filter: filterNow() }));
}

/** The same by cursors of the first commit, which the client has made itself, with exceptions that fit no topic. */
export async function resumeOn(target: Target, clients: number): Promise<void> {
  const socket = await join(target);
  socket.send(JSON.stringify({ type: 'subscribe', id: 1, subscriptions: [{ topic: 'none*' }] }));
  const reply = await Promise.race([replied(socket, 1), setTimeout(1000, '')]);
  const [, epoch] = /"cursor":"([^."]*)\./.exec(reply) ?? [];
  socket.close();
  const exceptions = Array.from({ length: 80 }, (_, i) => `~exceptio.${i.toString(36)}`).join('');
  await subscribeOn(target, clients, () => ({ cursor: `${epoch}.0${exceptions}` }));
}

/** Clients that poll ten patterns again and again, for 3 s. */
export async function pollOn(target: Target, clients: number): Promise<void> {
  await askOn(target, `/poll?${prefixes.map((prefix) => `topic=${prefix}*`).join('&')}`, clients);
}

/** Resolves with the reply to this command, whether it is an error or not. */
function replied(socket: WebSocket, id: number): Promise<string> {
  return new Promise((resolve) => {
    const heard = (data: unknown) => {
      if (!String(data).slice(0, 100).includes(`"id":${id},`)) return;
      socket.off('message', heard);
      resolve(String(data));
    };
    socket.on('message', heard);
  });
}
