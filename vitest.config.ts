import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Folders of computation, with clocks of their own: these files follow each other in one process, so that each pays
 * only once for what it imports. `NAME.e2e.test.ts` in them is for what starts a gateway or a browser.
 */
export const sharedFolders = [
  'api',
  'auth',
  'catch-up',
  'client',
  'config',
  'fanout',
  'model',
  'protocol',
  'sessions',
  'sources',
  'topics',
  'web',
];
const shared = [
  `test/{${sharedFolders.join()}}/**/!(*.e2e).test.ts`,
  'test/{architecture,config,docs,grafana,log,metrics}.test.ts',
];
// Browsers, command lines, other systems, stores that are killed: these tests wait for others more than they compute.
const processes = [
  'test/{bench,cli,compat,engines,packaging,publisher,systems}/**/*.test.ts',
  'test/cli.test.ts',
  'test/{client,web}/**/*.e2e.test.ts',
  'test/client/react/*.test.tsx',
];

/** What takes longest begins first, so that no worker is left with it at the end. */
const longest = [
  'test/e2e/delivery',
  'test/transport/uws/http',
  'test/e2e/sessions',
  'test/e2e/abuse',
  'test/packaging/packaging',
  'test/engines/lmdb/crash',
  'test/web/',
  'test/cli/process',
  'test/systems/server-monitoring',
];

/** Files of one project follow each other: a worker that is shared ends when another project's file is next. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) =>
      longest.findIndex((path) => moduleId.includes(path)) + 1 || longest.length + 1;
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => a.project.name.localeCompare(b.project.name) || rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    pool: 'forks',
    // These end what hangs. No test is about them: what comes at once on a machine with time takes minutes on a busy one.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 90_000 } },
    // `shared` computes, and runs alone. The other two wait more than they compute, and run together.
    projects: [
      {
        extends: true,
        test: {
          name: 'shared',
          include: shared,
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'processes', include: processes, maxWorkers: 4, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          // All that the others do not take. They wait for sockets and timers more than they compute, so they run
          // beside the processes; as `shared`, they pay once for what they import.
          name: 'gateways',
          include: ['test/**/*.test.{ts,tsx}'],
          exclude: [...shared, ...processes],
          isolate: false,
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
