import { expect, test } from 'vitest';
import { crash } from './crash/crashes.ts';

/** `npm run bench -- crash` kills a hundred times and more. */
test.each([
  { sync: false, kills: 15, seed: 1 },
  { sync: true, kills: 5, seed: 2 },
])(
  'nothing acknowledged is lost or doubled when the process is killed: $kills times, sync $sync',
  async (options) => {
    const report = await crash(options);
    expect(report.faults).toEqual([]);
    expect(report.acknowledged).toBeGreaterThan(options.kills * 20);
  },
  60_000,
);
