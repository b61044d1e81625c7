import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

const { projects: _, ...test } = base.test!;

/** `npm run test:images`: real builds. The base image of Debian packages takes minutes when it is made first. */
export default mergeConfig(
  { ...base, test },
  defineConfig({
    test: {
      include: ['test/images/**/*.test.ts'],
      testTimeout: 300_000,
      hookTimeout: 900_000,
    },
  }),
);
