import fc from 'fast-check';
import { test } from 'vitest';
import { of } from './case.ts';
import { steps } from './commands.ts';
import { sdkOptions } from './options.ts';
import { World } from './world.ts';

/** Lives of the SDK's clients. RUNS=200 makes more of them. */
const { RUNS } = process.env;
const runs = Number(RUNS ?? 15);

/** What clients begin with: of tabs always, of others in every second life. */
const first = [[of('*')], [of('a')], [of('a'), of('m')], [of('p:*'), of('q:*'), of('$all')]];

function begin(world: World, isBegun: boolean): void {
  if (isBegun) for (const [i, specs] of first.entries()) world.client(i).subscribe(specs, { at: 'end' });
}

const flag = fc.boolean();

const lives = {
  numRuns: runs,
  // A failure is shown as short as it has become by then.
  interruptAfterTimeLimit: 50_000 + runs * 500,
  markInterruptAsFailure: true,
} as const;

test(
  'an application of the SDK, which goes by whatever transport there is, sees each publication once, in order, or is told',
  async () => {
    await fc.assert(
      fc.asyncProperty(sdkOptions, flag, flag, steps(60), async (gateway, compresses, isBegun, commands) => {
        const world = new World({ ...gateway, compresses }, 'sdk');
        begin(world, isBegun);
        await fc.asyncModelRun(() => ({ model: world, real: world }), commands);
        await world.settle();
      }),
      lives,
    );
  },
  60_000 + runs * 1000,
);

test.each([
  ['that goes from gateway to gateway', 'nodes'],
  ['whose gateways share what may be lost', 'failingNodes'],
] as const)(
  'so does one %s',
  async (_, kind) => {
    await fc.assert(
      fc.asyncProperty(sdkOptions, flag, steps(60, kind), async (gateway, isBegun, commands) => {
        const world = new World(gateway, 'sdk', 2);
        await world.open();
        begin(world, isBegun);
        await fc.asyncModelRun(() => ({ model: world, real: world }), commands);
        await world.settle();
      }),
      lives,
    );
  },
  60_000 + runs * 1000,
);

test(
  'so do the tabs of a browser, which share a connection, freeze, hide, and go without a word',
  async () => {
    await fc.assert(
      fc.asyncProperty(sdkOptions, fc.nat(), steps(60, 'tabs'), async (gateway, seed, commands) => {
        const world = new World(gateway, { tabs: seed });
        begin(world, true);
        await fc.asyncModelRun(() => ({ model: world, real: world }), commands);
        await world.settle();
      }),
      // They sleep for long, which takes the gateway thousands of turns.
      { ...lives, numRuns: RUNS === undefined ? 5 : runs },
    );
  },
  60_000 + runs * 1000,
);
