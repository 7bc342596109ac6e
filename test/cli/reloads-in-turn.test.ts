import { expect, test } from 'vitest';
import { ReloadsInTurn } from '../../src/cli/reload.ts';

/** `rest` ends the rest after one, and returns how long it was to be. */
function makeReloads(reloadMs = 10) {
  let nowMs = 0;
  let runs = 0;
  let resting: { readonly ms: number; readonly over: () => void } | undefined;
  const reloads = new ReloadsInTurn({
    nowMs: () => nowMs,
    after: (ms, over) => {
      resting = { ms, over };
    },
  });
  const run = async () => {
    runs++;
    nowMs += reloadMs;
  };
  const rest = async () => {
    await Promise.resolve();
    const { ms, over } = resting!;
    over();
    return ms;
  };
  return { reloads, run, rest, runs: () => runs };
}

test('reloads that are asked for during the start, during a reload and in the rest after it are one each', async () => {
  const { reloads, run, rest, runs } = makeReloads();
  for (let i = 0; i < 5; i++) reloads.ask();
  expect(runs()).toBe(0);
  reloads.begin(async () => {
    if (runs() === 0) for (let i = 0; i < 5; i++) reloads.ask();
    await run();
  });
  expect(runs()).toBe(1);
  await Promise.resolve();
  reloads.ask();
  expect(runs()).toBe(1);
  expect([await rest(), runs()]).toEqual([90, 2]);
  expect([await rest(), runs()]).toEqual([90, 2]);
  reloads.ask();
  expect(runs()).toBe(3);
});

test.each([
  { reloadMs: 555, restMs: 4995 },
  { reloadMs: 556, restMs: 5000 },
  { reloadMs: 10_000, restMs: 5000 },
])(
  'a reload of $reloadMs ms, which may have waited for public keys, is followed by a rest of $restMs ms',
  async ({ reloadMs, restMs }) => {
    const { reloads, run, rest } = makeReloads(reloadMs);
    reloads.ask();
    reloads.begin(run);
    expect(await rest()).toBe(restMs);
  },
);
