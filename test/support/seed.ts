import fc from 'fast-check';

/**
 * The set-up of each test file: property tests draw by SEED, which `vitest.config.ts` gives them, so that they draw the
 * same at each run. `SEED=7,12:0:3` repeats what failed with this seed and path, in the one test that `-t` names;
 * `SEED=7,12:0:3,//4:H` what also has a replayPath. fast-check prints all three.
 */
const [number, path = '', replay] = String(process.env['SEED']).split(',');

export const seed = Number(number);
export const replayPath = replay;

fc.configureGlobal({ seed, endOnFailure: path !== '', ...{ path } });
