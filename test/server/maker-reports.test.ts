import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type MakerReport, MakerReports } from '../../src/server/maker-reports.ts';

test('what clients make and publish is told once a turn, each of them by itself, and not more than 1000 at once', async () => {
  const told: MakerReport[] = [];
  const reports = new MakerReports((made) => told.push(structuredClone(made)));
  const [a, b] = ['a', 'b'].map((account) => ({ account, isVerified: true })) as [Maker, Maker];
  reports.made('new', a, true);
  // Those of a stream in a row are one, values are not.
  for (const offset of [1, 2]) reports.published({ topic: 'new', offset, bytes: 10, key: undefined }, a);
  for (const offset of [1, 2]) reports.published({ topic: 'state', offset, bytes: 10, key: 'k' }, a);
  reports.published({ topic: 'new', offset: 3, bytes: 10, key: undefined }, b);
  expect(told).toEqual([]);
  await nextTurn();
  const values = [1, 2].map((offset) => ({ topic: 'state', offset, bytes: 10, key: 'k' }));
  expect(told.splice(0)).toEqual([
    {
      ...{ maker: a, topics: ['new'], begun: 1 },
      published: [{ topic: 'new', offset: 2, bytes: 20, key: undefined }, ...values],
    },
    {
      ...{ maker: b, topics: [], begun: 0 },
      published: [{ topic: 'new', offset: 3, bytes: 10, key: undefined }],
    },
  ]);
  for (let n = 0; n < 1001; n++) reports.made(`more:${n}`, a, false);
  await nextTurn();
  expect(told.map(({ topics }) => topics.length)).toEqual([1000, 1]);
});

type Maker = MakerReport['maker'];
