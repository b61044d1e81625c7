import type { ConfigurationFile, EnvironmentVariable } from '../../domain/bundles/bundle-file.ts';
import type { Resolution } from '../ecosystems/ecosystem.ts';

/** What the consumer lays over the bundle for one package, in both forms (cachito.md 4.5). */
export interface PackageSetup {
  offline: ConfigurationFile[];
  registry: ConfigurationFile[];
}

/** prefetch.md 3.1: keeps packages from downloading binaries while they install. */
const ENVIRONMENT: readonly EnvironmentVariable[] = [
  { name: 'CHROMEDRIVER_SKIP_DOWNLOAD', value: 'true', kind: 'literal' },
  { name: 'CYPRESS_INSTALL_BINARY', value: '0', kind: 'literal' },
  { name: 'GECKODRIVER_SKIP_DOWNLOAD', value: 'true', kind: 'literal' },
  { name: 'SKIP_SASS_BINARY_DOWNLOAD_FOR_CI', value: 'true', kind: 'literal' },
];

/** `authority`: who signed the certificate of our registry, if that must be said. */
export function consumerSetups(
  packages: readonly PackageSetup[],
  authority: ConfigurationFile | null,
): Pick<Resolution, 'offline' | 'registry'> {
  return {
    offline: {
      environment: [...ENVIRONMENT],
      configurationFiles: packages.flatMap(({ offline }) => offline),
    },
    registry: {
      environment: [...ENVIRONMENT],
      configurationFiles: [
        ...packages.flatMap(({ registry }) => registry),
        ...(authority ? [authority] : []),
      ],
    },
  };
}
