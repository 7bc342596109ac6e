import { setTimeout } from 'node:timers/promises';
import type WebSocket from 'ws';
import { askOn, join, open, postOn, type Target } from './sockets.ts';
import { publish, tokenOf } from './victim.ts';

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

/** Clients that subscribe to topics and end that, four times in 10 ms, for 3 s. One that is ended is replaced. */
export async function joinAndLeave(target: Target, clients: number): Promise<void> {
  const endMs = performance.now() + 3000;
  const topics = Array.from({ length: 99 }, (_, i) => `room:${i}`);
  const subscriptions = topics.map((topic) => ({ topic, presence: true }));
  const one = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const socket = await join(target);
      for (let id = 1; performance.now() < endMs && socket.readyState === socket.OPEN; id += 2) {
        socket.send(JSON.stringify({ type: 'subscribe', id, subscriptions }));
        socket.send(JSON.stringify({ type: 'unsubscribe', id: id + 1, topics }));
        if (id % 4 === 3) await setTimeout(10);
      }
      await setTimeout(20);
    }
  };
  await Promise.all(Array.from({ length: clients }, one));
}

/** Polls of a state topic with 3000 values of 1 kB, whose responses are not read. */
export async function pollState(target: Target): Promise<void> {
  const [topic, data] = ['server:large', 'x'.repeat(1000)];
  for (let first = 0; first < 3000; first += 500)
    await publish(
      target,
      Array.from({ length: 500 }, (_, i) => ({ topic, key: `${first + i}`, type: 'x', data })),
    );
  const credential = target.token === undefined ? '' : `Authorization: Bearer ${target.token}\r\n`;
  for (let i = 0; i < 95; i++) {
    const socket = await open(target.port);
    socket.pause();
    socket.write(`GET /poll?topic=server:large HTTP/1.1\r\nHost: 127.0.0.1\r\n${credential}\r\n`);
  }
  await setTimeout(3000);
}

/** A client that subscribes to patterns with a thousand positions each, and ends that, again and again. */
export async function repeatPositions(target: Target): Promise<void> {
  const socket = await join(target);
  const positions = Array.from({ length: 1000 }, (_, i) => ({ topic: `dev${i}`, epoch: 'e', offset: 1 }));
  const subscriptions = ['d*', 'de*', 'dev*', 'dev1*', 'dev2*'].map((topic) => ({ topic, positions }));
  const topics = subscriptions.map(({ topic }) => topic);
  for (let id = 10; id < 50; id += 2) {
    socket.send(JSON.stringify({ type: 'subscribe', id, subscriptions }));
    socket.send(JSON.stringify({ type: 'unsubscribe', id: id + 1, topics }));
    await setTimeout(50);
  }
}

/** Makes all views that a topic may have, as many for each of four users, with filters that match nothing. */
async function filterFully(target: Target, topic: string): Promise<void> {
  const condition = (i: number) => ({ op: 'gt', tag: `t${i % 4}`, number: 1e9 + i });
  for (let user = 0; user < 4; user++) {
    const token = tokenOf({ sub: `u${user}`, topics: [{ pattern: topic, allow: ['subscribe'] }] });
    const socket = await join({ ...target, token });
    const subscriptions = Array.from({ length: 16 }, (_, i) => {
      const filters = Array.from({ length: 59 }, (_, k) => condition(1000 * (16 * user + i) + k));
      return { topic, filter: { op: 'or', filters } };
    });
    socket.send(JSON.stringify({ type: 'subscribe', id: 1, subscriptions }));
    await replied(socket, 1);
  }
}

/** Batches of publications, which all those views look at, for 3 s. */
export async function publishToFilters(target: Target): Promise<void> {
  await filterFully(target, 'fanned');
  const item = '{"topic":"fanned","type":"x","data":1,"tags":{"t1":"1","t2":"2","t3":"3"}}';
  await postOn(target, '/api/publish/batch', 2, () => `[${Array(1000).fill(item).join()}]`);
}

const tokenFor = (sub: string, allow: string) => tokenOf({ sub, topics: [{ pattern: '*', allow: [allow] }] });

/** Batches by two users of publications to new topics, which as many patterns as a client may have match, for 3 s. */
export async function publishToPatterns(target: Target): Promise<void> {
  const socket = await join({ ...target, token: tokenFor('watcher', 'subscribe') });
  const name = 'w'.repeat(99);
  const subscriptions = Array.from(name, (_, i) => ({ topic: `${name.slice(i)}*` }));
  socket.send(JSON.stringify({ type: 'subscribe', id: 1, subscriptions }));
  await replied(socket, 1);
  const publishAs = (user: string) =>
    postOn({ ...target, token: tokenFor(user, 'publish') }, '/api/publish/batch', 1, (batch) => {
      const item = (i: number) => `{"topic":"${name}:${user}:${batch}:${i}","type":"x","data":1}`;
      return `[${Array.from({ length: 1000 }, (_, i) => item(i)).join()}]`;
    });
  await Promise.all(['a', 'b'].map(publishAs));
}

/** Batches of a backend, which pays for nothing, to topics that as many patterns of a client match as it may have. */
export async function nestPatterns(target: Target): Promise<void> {
  const socket = await join({ ...target, token: target.token && tokenFor('poor', 'subscribe') });
  const filterOf = (i: number) => ({ op: 'not', filters: [{ op: 'eq', tag: 'a', value: `${i}` }] });
  const subscriptions = Array.from({ length: 96 }, (_, i) => ({
    topic: ['*', 'd*', 'de*', 'dev*'][i % 4],
    filter: filterOf(i),
  }));
  socket.send(JSON.stringify({ type: 'subscribe', id: 1, subscriptions }));
  await replied(socket, 1);
  for (let first = 0; first < 10_000; first += 1000)
    await publish(
      target,
      Array.from({ length: 1000 }, (_, i) => ({ topic: `dev${first + i}`, type: 'x', data: 1 })),
    );
}

/** Clients that subscribe to state topics of their own with as many keys as a message may have, for 3 s. */
export async function selectOn(target: Target, clients: number): Promise<void> {
  const endMs = performance.now() + 3000;
  const keys = Array.from({ length: 999 }, (_, i) => `${'k'.repeat(480)}${i}`);
  const one = async (client: number): Promise<void> => {
    const socket = await join(target);
    for (let id = 10; performance.now() < endMs; id++) {
      const subscription = { topic: `server:${client}:${id}`, keys: [...keys, `${id}`] };
      socket.send(JSON.stringify({ type: 'subscribe', id, ...subscription }));
      const reply = await Promise.race([replied(socket, id), setTimeout(endMs - performance.now(), '')]);
      if (reply.includes('"error"')) await setTimeout(20);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => one(client)));
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
