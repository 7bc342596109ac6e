import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'vitest';
import { steps } from './commands.ts';
import { LmdbNode } from './lmdb-engine.ts';
import { isState } from './model.ts';
import { options } from './options.ts';
import { World } from './world.ts';

/**
 * The same lives of a gateway that starts again on its data folder, which takes the time that it takes. RUNS=500 makes
 * more of them.
 */
const runs = Number(process.env['RUNS'] ?? 6);
/** A life that takes longer hangs. */
const lifeMaxMs = 90_000;

test.each([
  { way: 'WebSocket', transports: 'websocket' },
  { way: 'streams and polls', transports: ['sse', 'poll'] },
] as const)(
  'by $way, a client at a gateway with lmdb sees what was published, once, or is told what it lacks',
  async ({ transports }) => {
    await fc.assert(
      fc.asyncProperty(options, steps(60, 'lmdb'), async (gateway, life) => {
        const dataDir = mkdtempSync(join(tmpdir(), 'sluice-model-'));
        let node: LmdbNode | undefined;
        const world = new World(gateway, transports, 1, {
          engineOf: ({ options, nowMs, model }) => {
            const retention = (topic: string) => ({
              mode: isState(topic) ? ('state' as const) : ('stream' as const),
              maxPublications: options.topicHistoryMaxPublications,
              maxBytes: options.topicHistoryMaxBytes,
              maxAgeMs: options.topicHistoryMaxAgeMs,
            });
            const { historyMaxBytes, numberingsMax } = options;
            const of = { dataDir, sync: false, historyMaxBytes, numberingsMax, nowMs, retention };
            node = new LmdbNode(of, model, node);
            return node;
          },
        });
        await world.open();
        await fc.asyncModelRun(() => ({ model: world, real: world }), life);
        await world.settle();
        await node?.ended;
        rmSync(dataDir, { recursive: true });
      }),
      {
        numRuns: runs,
        timeout: lifeMaxMs,
        endOnFailure: true,
      },
    );
  },
  lifeMaxMs + runs * 5000,
);
