import { setTimeout } from 'node:timers/promises';
import type { Attack, Who } from './attack.ts';
import { callOn, wishOn } from './calling.ts';
import { floodOldSystems } from './old-clients.ts';
import { publishing } from './publishing.ts';
import { askOn, flood, floodFrames, join, open, post, sendUnfinished } from './sockets.ts';
import {
  filterOn,
  joinAndLeave,
  nestPatterns,
  pollOn,
  pollState,
  repeatPositions,
  resumeOn,
  selectOn,
  subscribeOn,
} from './subscribing.ts';

const everyone: readonly Who[] = ['no credential', 'anonymous', 'poorest token'];
const members: readonly Who[] = ['anonymous', 'poorest token'];

export const attacks = {
  pages: {
    sentence: '4000 pipelined pages on a socket that does not read',
    as: everyone,
    run: async ({ port }) => {
      const socket = await open(port);
      socket.pause();
      socket.write('GET /dashboard.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(4000));
    },
  },
  heads: {
    sentence: '300 sockets that send a head of 3 KiB and never end it',
    as: everyone,
    run: async ({ port }) => {
      const sockets = await Promise.all(Array.from({ length: 300 }, () => open(port)));
      for (const socket of sockets)
        socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${'x'.repeat(3000)}\r\n`);
    },
  },
  bodies: {
    sentence: '60 bodies of 7 MiB with a token that is none',
    as: everyone,
    run: async ({ port }) => {
      const body = Buffer.alloc(7 * 1024 * 1024, 0x20);
      const head = `POST /api/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer a.b.c\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
      await Promise.all(
        Array.from({ length: 60 }, async () => {
          const socket = await open(port);
          socket.write(head);
          socket.write(body.subarray(0, body.length - 1));
        }),
      );
    },
  },
  handshakes: {
    sentence: '2000 upgrades as fast as they go, none of which goes on',
    as: everyone,
    run: async ({ port }) => {
      for (let i = 0; i < 2000; i++)
        void open(port).then((socket) =>
          socket.write(
            'GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
          ),
        );
    },
  },
  history: {
    sentence: '10 clients that stop reading and ask for 104 pages of 1 MiB each',
    as: members,
    run: async (target) => {
      for (let client = 0; client < 10; client++) {
        const socket = await join(target);
        socket.pause();
        for (let id = 10; id < 114; id++)
          socket.send(JSON.stringify({ type: 'history', id, topic: 'stats', limit: 1000 }));
      }
    },
  },
  pagesOfHistory: {
    sentence: '40 clients that get a page of 1 MiB of a history by HTTP, again and again',
    as: members,
    run: (target) => askOn(target, '/api/topics/stats/history?limit=1000', 40),
  },
  burst: {
    sentence: '300 sockets that ask for such a page at once, and do not read it',
    as: members,
    run: async ({ port, token }) => {
      const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
      for (let i = 0; i < 300; i++) {
        const socket = await open(port);
        socket.pause();
        socket.write(
          `GET /api/topics/stats/history?limit=1000 HTTP/1.1\r\nHost: 127.0.0.1\r\n${authorization}\r\n`,
        );
      }
      await setTimeout(2500);
    },
  },
  lists: {
    sentence: '20 clients that list ten of 100 000 topics, again and again',
    as: members,
    topics: 100_000,
    run: (target) => askOn(target, '/api/topics?prefix=d&limit=10', 20),
  },
  crowd: {
    sentence: '95 clients that subscribe to 10 patterns over 100 000 topics, again and again',
    as: members,
    topics: 100_000,
    run: (target) => subscribeOn(target, 95),
  },
  lastOfPatterns: {
    sentence: 'the same with the last 1000 of each topic',
    as: members,
    topics: 100_000,
    run: (target) => subscribeOn(target, 95, () => ({ last: 1000 })),
  },
  filteredPatterns: {
    sentence: 'the same, each time with another filter',
    as: members,
    topics: 100_000,
    run: (target) => filterOn(target, 95),
  },
  nested: {
    sentence: 'ten batches of a backend to 10 000 topics, which 96 patterns of a client match',
    as: members,
    topics: 10_000,
    run: nestPatterns,
  },
  keys: {
    sentence: '40 clients that subscribe to topics with a thousand keys of 480 characters, again and again',
    as: members,
    run: (target) => selectOn(target, 40),
  },
  resumption: {
    sentence: 'the same by cursors of the first commit',
    as: members,
    topics: 100_000,
    run: (target) => resumeOn(target, 95),
  },
  patternPolls: {
    sentence: '95 clients that poll 10 patterns over 100 000 topics, again and again',
    as: members,
    topics: 100_000,
    run: (target) => pollOn(target, 95),
  },
  statePolls: {
    sentence: '95 polls of a state topic with values of 3 MB, whose responses are not read',
    as: members,
    run: pollState,
  },
  calls: {
    sentence: '95 clients that call a slow application with 60 kB each, again and again',
    as: members,
    hook: 'call',
    run: (target) => callOn(target, 95),
  },
  wishes: {
    sentence: '95 clients with 100 subscriptions a command, on which such an application decides',
    as: members,
    hook: 'subscribe',
    run: (target) => wishOn(target, 95),
  },
  presence: {
    sentence: '95 clients that join and leave 99 topics a command, again and again',
    as: members,
    run: (target) => joinAndLeave(target, 95),
  },
  positions: {
    sentence: '5 patterns with 1000 positions each, again and again',
    as: members,
    topics: 20_000,
    run: repeatPositions,
  },
  members: {
    sentence: '10 publishes with 500 000 unknown members',
    as: members,
    run: async (target) => {
      const strangers = Array.from({ length: 500_000 }, (_, i) => `"x${i}":1`).join(',');
      await post(target, '/api/publish', 10, `{"topic":"a","type":"b","data":1,${strangers}}`);
    },
  },
  ...publishing,
  frames: {
    sentence: '3000 frames of 100 KB, most of them over the rate',
    as: members,
    run: async (target) => {
      const socket = await join(target);
      const positions = Array.from({ length: 1000 }, (_, i) => ({
        topic: `t${'x'.repeat(60)}${i}`,
        epoch: 'e',
        offset: 1,
      }));
      const text = JSON.stringify({ type: 'subscribe', id: 9, topic: 'x*', positions });
      for (let i = 0; i < 3000; i++) {
        socket.send(text);
        if (i % 50 === 0) await setTimeout(10);
      }
    },
  },
  filters: {
    sentence: '100 views of one topic, each with a filter of its own',
    as: members,
    run: async (target) => {
      const socket = await join(target);
      const subscriptions = Array.from({ length: 100 }, (_, i) => ({
        topic: 'stats',
        filter: { op: 'eq', tag: 'a', value: `${i}` },
      }));
      socket.send(JSON.stringify({ type: 'subscribe', id: 9, subscriptions }));
    },
  },
  names: {
    sentence: '100 clients with 100 subscriptions each to topics that do not exist',
    as: members,
    run: async (target) => {
      for (let client = 0; client < 100; client++) {
        const socket = await join(target);
        const subscriptions = Array.from({ length: 100 }, (_, i) => ({ topic: `none:${client}:${i}` }));
        socket.send(JSON.stringify({ type: 'subscribe', id: 9, subscriptions }));
      }
    },
  },
  nesting: {
    sentence: '10 polls whose filter is nested 120 000 deep, and as many by GET',
    as: everyone,
    run: async (target) => {
      const filter = '['.repeat(120_000) + ']'.repeat(120_000);
      await post(target, '/poll', 10, `{"topic":"stats","filter":${filter}}`);
      const head = `GET /poll?topic=stats&filter=${'['.repeat(7000)}${']'.repeat(7000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
      for (let i = 0; i < 10; i++) (await open(target.port)).write(head);
    },
  },
  multiples: {
    sentence: '10 polls of 20 000 topics with a filter of 100 KB for all of them',
    as: everyone,
    run: async (target) => {
      const topic = Array.from({ length: 20_000 }, (_, i) => i.toString(36));
      const filter = { op: 'eq', tag: 'a', value: 'x'.repeat(100_000) };
      await post(target, '/poll', 10, JSON.stringify({ topic, filter }));
    },
  },
  chunks: {
    sentence: '60 bodies of 250 000 chunks of a byte, and 400 of 16 000',
    as: everyone,
    run: async ({ port }) => {
      const head =
        'POST /poll HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
      for (const [sockets, chunks] of [
        [60, 250_000],
        [400, 16_000],
      ] as const) {
        const text = head + '1\r\n \r\n'.repeat(chunks);
        for (let i = 0; i < sockets; i++) void open(port).then((socket) => socket.write(text));
        await setTimeout(1000);
      }
    },
  },
  pipelines: {
    sentence: '60 sockets that send requests ahead as fast as they go, and read the answers',
    as: everyone,
    run: ({ port }) => flood(port, 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(12_000)),
  },
  pongs: {
    sentence: '40 WebSockets that send pongs as fast as they go',
    as: members,
    run: (target) => floodFrames(target, 0x8a),
  },
  empties: {
    sentence: 'the same with empty messages, and again when they are cut',
    as: members,
    run: (target) => floodFrames(target, 0x81),
  },
  pings: {
    sentence: 'the same with pings',
    as: members,
    run: (target) => floodFrames(target, 0x89),
  },
  entries: {
    sentence: '40 protobuf subscribe commands of half a MiB, of 250 000 empty entries each',
    as: members,
    run: async (target) => {
      const socket = await join(target, ['sluice.v1.protobuf']);
      // Field 3 of the frame is the command, and its field 1 an entry, of no bytes.
      const entries = Buffer.alloc(500_000, Buffer.from([0x0a, 0]));
      const head = Buffer.from([0x08, 9, 0x1a, 0xa0, 0xc2, 0x1e]);
      for (let i = 0; i < 40; i++) socket.send(Buffer.concat([head, entries]));
    },
  },
  queries: {
    sentence: '60 sockets that send polls of 1500 topics as fast as they go',
    as: everyone,
    run: ({ port }) => {
      const topics = Array.from({ length: 1500 }, (_, i) => `topic=${i.toString(36)}`).join('&');
      return flood(port, `GET /poll?${topics} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(50));
    },
  },
  oldClients: {
    sentence: '40 clients of older systems that name a thousand servers, rooms and filters a message',
    as: members,
    flags: ['--compat=a,b,c,d,e'],
    run: floodOldSystems,
  },
  unfinished: {
    sentence: '95 WebSockets that send the most that a message may have, and not its end',
    as: everyone,
    run: (target) => sendUnfinished(target, 95, 2 ** 20),
  },
  inquiries: {
    sentence: 'the same with questions whether a WebSocket may be opened',
    as: everyone,
    run: ({ port }) => flood(port, 'GET /ws HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(15_000)),
  },
} as const satisfies Readonly<Record<string, Attack>>;

export type AttackName = keyof typeof attacks;
