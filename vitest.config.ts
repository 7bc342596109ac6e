import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Many tests wait for timers of the library: on two cores, two files at a time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // What is polled for comes at once on a machine with time; on a busy one it takes what it takes.
    expect: { poll: { timeout: 20_000 } },
  },
});
