import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Tests that start processes take seconds on an idle machine, and a minute on a busy one.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
