import { defineConfig } from 'vitest/config';

/** Not of `npm test`. */
const ELSEWHERE = ['test/containers/**', 'test/images/**', 'test/live/**'];

/** These start, stop and measure processes, their own among them, or replace modules. */
const ALONE = [
  'test/cli/**/*.test.ts',
  'test/docs/**/*.test.ts',
  'test/e2e/**/*.test.ts',
  'test/workers/builders/**/*.test.ts',
  'test/workers/process-group.test.ts',
  'test/gateway/auth/kerberos*.test.ts',
  'test/gateway/downloads/clients.test.ts',
];

export default defineConfig({
  // graphql has a `development` export condition that Vite picks and Node does not: one copy only.
  resolve: {
    alias: [{ find: /^graphql$/, replacement: `${import.meta.dirname}/node_modules/graphql/index.mjs` }],
  },
  test: {
    pool: 'forks',
    maxWorkers: 2,
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/own-environment.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What a busy machine is late with still comes: the usual second is no bound of any test.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: { name: 'alone', include: ALONE, exclude: ELSEWHERE },
      },
      {
        // Loading the server takes longer than most files do: they share one process, one after the other.
        extends: true,
        test: {
          name: 'shared',
          include: ['test/**/*.test.ts'],
          exclude: [...ELSEWHERE, ...ALONE],
          isolate: false,
        },
      },
    ],
  },
});
