import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

const { projects: _, ...test } = base.test!;

/** `npm run test:containers`: the whole topology under faults, with its PostgreSQL in a container. */
export default mergeConfig(
  { ...base, test: { ...test, globalSetup: [] } },
  defineConfig({
    test: {
      include: ['test/containers/**/*.test.ts'],
      // Each has an engine, and what it measures is the other's load.
      fileParallelism: false,
      testTimeout: 240_000,
      hookTimeout: 600_000,
    },
  }),
);
