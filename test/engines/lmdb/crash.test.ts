import { expect, test } from 'vitest';
import { crash } from './crash/crashes.ts';
import { canContain, race } from './crash/races.ts';

/** In parts: a process takes seconds to start on a busy machine. `npm run bench -- crash` kills a hundred times. */
test.each([
  { sync: false, kills: 5, seed: 1 },
  { sync: false, kills: 5, seed: 3 },
  { sync: false, kills: 5, seed: 4 },
  { sync: true, kills: 3, seed: 2 },
])(
  'nothing acknowledged is lost or doubled when the process is killed: $kills times, sync $sync, seed $seed',
  async (options) => {
    const report = await crash(options);
    expect(report.faults).toEqual([]);
    expect(report.acknowledged).toBeGreaterThan(options.kills * 20);
  },
);

test.each([['processes', false], ...(canContain() ? [['containers', true] as const] : [])] as const)(
  'of %s that begin on the folder of a killed one in the same instant, one owns it',
  async (_, contained) => {
    const { twoOwners, noOwner, refusals } = await race({ rounds: 6, starters: 3, contained });
    expect([twoOwners, noOwner, [...refusals]]).toEqual([0, 0, [['ERR_DATA_DIR_IN_USE', 12]]]);
  },
);
