import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * What takes longest begins first, so that no worker is left with it at the end; and what mostly waits is among what
 * mostly computes. Those with another environment are beside each other: a worker ends when the next file needs another.
 */
const first = [
  'test/client/react/',
  'test/packaging/packaging',
  'test/cli/process',
  'test/client/http/nginx',
  'test/web/dashboard-access',
  'test/e2e/sessions',
  'test/client/page/tabs',
  'test/client/page/lives',
  'test/e2e/abuse',
  'test/engines/lmdb/crash',
  'test/systems/server-monitoring',
  'test/e2e/delivery',
  'test/security/hooks',
  'test/web/client-apps',
  'test/client/http/http',
  'test/web/dashboard',
  'test/publisher/',
  'test/model/delivery',
  'test/web/try',
  'test/client/http/cuts',
  'test/transport/uws/facts',
  'test/e2e/hook-events',
  'test/client/browser',
  'test/web/',
  'test/e2e/inbox',
  'test/packaging/',
  'test/engines/redis/moves',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) =>
      first.findIndex((path) => moduleId.includes(path)) + 1 || first.length + 1;
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => rank(a) - rank(b));
  }
}

/** Of all property tests. `random`: another one at each run. */
const { SEED = '1' } = process.env;
const seed = SEED === 'random' ? String(Math.floor(Math.random() * 2 ** 31)) : SEED;
if (SEED === 'random') console.log(`SEED=${seed}`);

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    setupFiles: 'test/support/seed.ts',
    env: { SEED: seed },
    globalSetup: 'test/support/temporary.ts',
    sequence: { sequencer: LongestFirst },
    pool: 'forks',
    // Files follow each other in a process, so that it pays only once for what it imports.
    isolate: false,
    // They wait for sockets, timers and other processes as much as they compute.
    maxWorkers: 4,
    // These end what hangs. No test is about them: what comes at once on a machine with time takes minutes on a busy one.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 90_000 } },
  },
});
