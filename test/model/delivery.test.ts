import fc from 'fast-check';
import { test } from 'vitest';
import { steps } from './commands.ts';
import { options } from './options.ts';
import { World } from './world.ts';

/**
 * Random lives of a gateway and its clients, compared with a plain model (see `model.ts`).
 * RUNS=5000 makes more of them.
 */
const runs = Number(process.env['RUNS'] ?? 500);

test(
  'whatever happens, a subscriber sees what was published, in order and once, or is told what it lacks',
  async () => {
    await fc.assert(
      fc.asyncProperty(options, steps(60), async (gateway, commands) => {
        const world = new World(gateway);
        await fc.asyncModelRun(() => ({ model: world, real: world }), commands);
        await world.settle();
      }),
      { numRuns: runs },
    );
  },
  180_000 + runs * 200,
);

test(
  'with dictionaries, several subscribers see what was published, in order and once, or are told what they lack',
  async () => {
    const everything = { target: '*', filter: undefined, intervalMs: 0, conflate: false };
    await fc.assert(
      fc.asyncProperty(options, steps(60), async (gateway, commands) => {
        const world = new World({ ...gateway, compresses: true });
        for (const client of world.clients) client.subscribe([everything], { at: 'end' });
        await fc.asyncModelRun(() => ({ model: world, real: world }), commands);
        await world.settle();
      }),
      { numRuns: Math.ceil(runs / 2) },
    );
  },
  180_000 + runs * 200,
);

test.each([
  { way: 'sse', transports: ['sse'] },
  { way: 'poll', transports: ['poll'] },
  { way: 'both in turn', transports: ['sse', 'poll'] },
] as const)(
  'by $way, a client that knows its position by one cursor sees what was published, once, or is told what it lacks',
  async ({ transports }) => {
    await fc.assert(
      fc.asyncProperty(options, steps(60), async (gateway, commands) => {
        const world = new World(gateway, transports);
        await fc.asyncModelRun(() => ({ model: world, real: world }), commands);
        await world.settle();
      }),
      { numRuns: Math.ceil(runs / 18) },
    );
  },
  180_000 + runs * 200,
);

test.each([
  { way: 'WebSocket', transports: 'websocket' },
  { way: 'streams and polls', transports: ['sse', 'poll'] },
] as const)(
  'by $way, so does a client at gateways that share an engine, also as they come, go and fall behind',
  async ({ transports }) => {
    await fc.assert(
      fc.asyncProperty(options, steps(60, 'nodes'), async (gateway, commands) => {
        const world = new World(gateway, transports, 2);
        await world.open();
        await fc.asyncModelRun(() => ({ model: world, real: world }), commands);
        await world.settle();
      }),
      { numRuns: Math.ceil(runs / 20) },
    );
  },
  180_000 + runs * 200,
);
