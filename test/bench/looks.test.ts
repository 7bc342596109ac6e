import { expect, test } from 'vitest';
import { allocationsOf } from '../../bench/support/allocations.ts';
import { longestOwnMs } from '../../bench/support/looks.ts';
import { LoopWatch } from '../../bench/support/loop-watch.ts';

interface Frame {
  readonly url: string;
  readonly selfSize: number;
  readonly children?: readonly Frame[];
}

/** As the inspector gives it; each function is named by its size. */
function node({ url, selfSize, children = [] }: Frame): Parameters<typeof allocationsOf>[0] {
  const callFrame = { functionName: `f${selfSize}`, url, lineNumber: 6, columnNumber: 0, scriptId: '1' };
  return { callFrame, selfSize, children: children.map(node) };
}

test('what the server calls for is its own, and what calls the server is not', () => {
  const { ownBytes, otherBytes, sites } = allocationsOf(
    node({
      url: 'file:///bench/peers/peer.ts',
      selfSize: 1,
      children: [
        {
          url: 'file:///dist/a.js',
          selfSize: 10,
          children: [
            { url: '', selfSize: 100 },
            { url: 'file:///dist/b.js', selfSize: 1000 },
          ],
        },
        { url: 'node:buffer', selfSize: 2 },
      ],
    }),
  );
  expect([ownBytes, otherBytes]).toEqual([1110, 3]);
  expect(sites).toEqual([
    { site: 'f1000 b.js:7', bytes: 1000 },
    { site: 'f10 a.js:7 > f100', bytes: 100 },
    { site: 'f10 a.js:7', bytes: 10 },
  ]);
});

test('a loop that is kept busy has a gap that the process ran itself', async () => {
  const watch = new LoopWatch();
  await new Promise((resolve) => setTimeout(resolve, 5));
  const cpu = process.cpuUsage();
  // By its own time, not by the clock's: the machine may be busy with others.
  for (let ran = process.cpuUsage(cpu); ran.user + ran.system < 60_000; ran = process.cpuUsage(cpu));
  const { gaps } = await watch.end();
  expect(Math.max(...gaps.map(({ ranMs }) => ranMs))).toBeGreaterThan(15);
});

test.each([
  ['all of it, where the machine took nothing', { ms: 36, ranMs: 36 }, 36],
  ['less by what it had to make up for', { ms: 40, ranMs: 30 }, 20],
  ['nothing, where the machine took more', { ms: 300, ranMs: 30 }, 0],
])('a stall is its own: %s', (_, gap, ownMs) => {
  const gaps = [{ ...gap, atMs: 1000, helpersMs: 0, gcMs: 0 }];
  expect(longestOwnMs({ seconds: 5, gaps, collections: [] })).toBe(ownMs);
});
