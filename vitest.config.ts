import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // What is polled for comes at once on a machine with time; on a busy one it takes what it takes.
    expect: { poll: { timeout: 20_000 } },
  },
});
