import { defineConfig } from 'vitest/config';

export default defineConfig({
  // graphql has a `development` export condition that Vite picks and Node does not: one copy only.
  resolve: {
    alias: [{ find: /^graphql$/, replacement: `${import.meta.dirname}/node_modules/graphql/index.mjs` }],
  },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/containers/**', 'test/images/**', 'test/live/**'],
    pool: 'forks',
    maxWorkers: 2,
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
