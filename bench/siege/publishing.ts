import { setTimeout } from 'node:timers/promises';
import type { Attack, Who } from './attack.ts';
import { join, post, postOn } from './sockets.ts';
import { publishToFilters, publishToPatterns } from './subscribing.ts';
import { publish } from './victim.ts';

/** With a token that may publish to all topics. */
const publishers: readonly Who[] = ['publisher'];

/** JSON of an object with this many members. */
const objectOf = (count: number, name = 'x', value = '1') =>
  `{${Array.from({ length: count }, (_, i) => `"${name}${i}":${value}`).join()}}`;

/** Attacks by publications. */
export const publishing = {
  scanning: {
    sentence: '10 publishes whose data has 700 000 members',
    as: publishers,
    run: (target) => post(target, '/api/publish', 10, `{"topic":"a","type":"b","data":${objectOf(700_000)}}`),
  },
  escapes: {
    sentence: '10 publishes whose data has 400 000 members with escapes in their names',
    as: publishers,
    run: (target) =>
      post(target, '/api/publish', 10, `{"topic":"a","type":"b","data":${objectOf(400_000, '\\u0078')}}`),
  },
  tags: {
    sentence: '10 publishes with 400 000 tags',
    as: publishers,
    run: async (target) => {
      const tags = objectOf(400_000, 'x', '"1"');
      await post(target, '/api/publish', 10, `{"topic":"a","type":"b","data":1,"tags":${tags}}`);
    },
  },
  items: {
    sentence: '10 batches of 600 000 items',
    as: publishers,
    run: (target) => post(target, '/api/publish/batch', 10, `[${'{"topic":1},'.repeat(600_000)}1]`),
  },
  batches: {
    sentence: '10 batches of 1000 items with 600 members each',
    as: publishers,
    run: async (target) => {
      const data = objectOf(600);
      await post(
        target,
        '/api/publish/batch',
        10,
        `[${Array(1000).fill(`{"topic":"a","data":${data}}`).join()}]`,
      );
    },
  },
  lines: {
    sentence: '10 bodies of 900 lines with 900 members each, none of them known',
    as: publishers,
    run: async (target) => {
      const line = `{"topic":"a",${Array.from({ length: 900 }, (_, i) => `"x${i}":1`).join()}}\n`;
      await post(target, '/api/publish/batch', 10, line.repeat(900), 'application/x-ndjson');
    },
  },
  publishes: {
    sentence: '600 frames of half a MiB whose data has 40 000 members',
    as: publishers,
    run: async (target) => {
      const socket = await join(target);
      const data = objectOf(40_000);
      const text = `{"type":"publish","id":9,"topic":"a","event":"b","data":${data}}`;
      for (let i = 0; i < 600; i++) {
        socket.send(text);
        if (i % 20 === 0) await setTimeout(10);
      }
    },
  },
  topics: {
    sentence: 'batches of 1000 publications to new topics, for 3 s',
    as: publishers,
    run: (target) =>
      postOn(target, '/api/publish/batch', 1, (batch) => {
        const item = (i: number) => `{"topic":"t:${batch}:${i}","type":"x","data":1}`;
        return `[${Array.from({ length: 1000 }, (_, i) => item(i)).join()}]`;
      }),
  },
  numberings: {
    sentence: 'batches of 1000 publications to new topics whose content is gone after a second, for 20 s',
    as: publishers,
    flags: ['--topic-history-max-age-seconds=1'],
    run: (target) =>
      postOn(
        target,
        '/api/publish/batch',
        1,
        (batch) => {
          const item = (i: number) => `{"topic":"n:${batch}:${i}","type":"x","data":1}`;
          return `[${Array.from({ length: 1000 }, (_, i) => item(i)).join()}]`;
        },
        20_000,
      ),
  },
  expiries: {
    sentence:
      'two batches of 1000 values at a time, each of a new topic, which expire after a second, for 3 s',
    as: publishers,
    run: (target) =>
      postOn(target, '/api/publish/batch', 2, (batch) => {
        const item = (i: number) => `{"topic":"server:${batch}:${i}","type":"x","data":1,"ttlMs":1000}`;
        return `[${Array.from({ length: 1000 }, (_, i) => item(i)).join()}]`;
      }),
  },
  contents: {
    sentence: 'batches of 100 publications of 64 KB, each to a topic of its own, for 3 s',
    as: publishers,
    run: (target) => {
      const data = 'x'.repeat(65_000);
      return postOn(target, '/api/publish/batch', 1, (batch) => {
        const item = (i: number) => `{"topic":"c:${batch}:${i}","type":"x","data":"${data}"}`;
        return `[${Array.from({ length: 100 }, (_, i) => item(i)).join()}]`;
      });
    },
  },
  fillings: {
    sentence: 'batches of 100 publications of 64 KB to 400 topics of a backend, for 3 s',
    as: publishers,
    flags: ['--history-max-bytes=64MiB', '--history-max-bytes-per-client=8MiB'],
    run: async (target) => {
      const topics = Array.from({ length: 400 }, (_, i) => `filled:${i}`);
      await publish(
        target,
        topics.map((topic) => ({ topic, type: 'x', data: 1 })),
      );
      const data = 'x'.repeat(65_000);
      await postOn(target, '/api/publish/batch', 1, (batch) => {
        const item = (i: number) =>
          `{"topic":"${topics[(100 * batch + i) % 400]}","type":"x","data":"${data}"}`;
        return `[${Array.from({ length: 100 }, (_, i) => item(i)).join()}]`;
      });
    },
  },
  copies: {
    sentence: '10 notifications of 8 kB at a time, each for 1000 rooms of an older system, for 3 s',
    as: publishers,
    flags: ['--compat=d'],
    run: (target) => {
      const room_ids = Array.from({ length: 1000 }, (_, i) => `r${i}`);
      const body = JSON.stringify({ type: 'notification', room_ids, data: 'x'.repeat(8000) });
      return postOn(target, '/api/v1/ws/broadcast', 10, () => body);
    },
  },
  fanned: {
    sentence:
      'two batches of 1000 publications at a time, again and again, to 64 views of 60 conditions each',
    as: publishers,
    run: publishToFilters,
  },
  watched: {
    sentence:
      'batches of 1000 publications by two users to new topics, which 99 patterns of a client match, for 3 s',
    as: publishers,
    run: publishToPatterns,
  },
} as const satisfies Readonly<Record<string, Attack>>;
