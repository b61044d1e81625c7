import type { EnvironmentVariable } from '../../domain/bundles/bundle-file.ts';

/** prefetch.md 3.1: keeps packages from downloading binaries while they install. */
export const ENVIRONMENT: readonly EnvironmentVariable[] = [
  { name: 'CHROMEDRIVER_SKIP_DOWNLOAD', value: 'true', kind: 'literal' },
  { name: 'CYPRESS_INSTALL_BINARY', value: '0', kind: 'literal' },
  { name: 'GECKODRIVER_SKIP_DOWNLOAD', value: 'true', kind: 'literal' },
  { name: 'SKIP_SASS_BINARY_DOWNLOAD_FOR_CI', value: 'true', kind: 'literal' },
];
