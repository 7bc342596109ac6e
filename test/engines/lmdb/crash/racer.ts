import { LmdbEngine } from '../../../../src/engines/lmdb/engine.ts';
import { optionsOf, publishFields } from './plan.ts';

/** Opens the folder when it is told to, and says `owner`, or why it is not. Then it waits to be killed. */
const folder = process.argv[2] as string;
const engine = new LmdbEngine({ ...optionsOf(folder, false), check: async () => undefined });
process.stdout.write('loaded\n');
process.stdin.once('data', async () => {
  try {
    await engine.open({ appended: () => undefined, reset: () => undefined, degraded: () => undefined });
    const fields = publishFields(0, 0);
    await engine.append([
      { fields: { ...fields, messageId: undefined }, publishedAtMs: Date.now(), acceptedAtMs: 0 },
    ]);
    process.stdout.write('owner\n');
  } catch (error) {
    process.stdout.write(`${(error as { code?: unknown }).code ?? error}\n`);
  }
});
