import { posix } from 'node:path';
import type { ConfigurationFile, ConsumerSetup } from '../../../domain/bundles/bundle-file.ts';
import { ValidationError } from '../../../domain/errors.ts';
import { registryUrlWithCredentials } from '../../../domain/package-registries/registry-address.ts';
import type { SourceTree } from '../../../domain/sources/source-tree.ts';
import { relativeToPackage } from '../registry-authority.ts';
import { CACHE_DIRECTORY } from './layout.ts';
import { settingKey } from './setting-key.ts';

/** A gem that lies in the bundle as a work tree. */
interface LocalGem {
  name: string;
  /** Of the work tree, relative to the bundle root. */
  bundlePath: string;
}

/** One package's part in the consumer's setup. */
export interface BundlerSetup {
  /** Of the package, relative to the source root. */
  directory: string;
  localGems: readonly LocalGem[];
}

/** prefetch.md 7.1: for both forms. */
const RULES: readonly [string, string][] = [
  ['BUNDLE_FORCE_RUBY_PLATFORM', 'true'],
  ['BUNDLE_DEPLOYMENT', 'true'],
  ['BUNDLE_FROZEN', 'true'],
  ['BUNDLE_DISABLE_LOCAL_BRANCH_CHECK', 'true'],
];

/** Throws ValidationError when the source has the file already (prefetch.md 7.1). */
export function refuseConfiguration(source: SourceTree, directory: string): void {
  const path = configurationPath(directory);
  if (source.lookup(path) === null) return;
  throw new ValidationError(
    'package-rejected',
    `Cachito wants to create a config file at location ${path}, but it already exists.`,
    { hint: 'Remove the file from the repository: it is meant for one checkout, not for all.' },
  );
}

/** Gems come from the request's own registry (prefetch.md 7.1). */
export function registrySetup(
  packages: readonly BundlerSetup[],
  authority: ConfigurationFile | null = null,
): ConsumerSetup {
  const mirror: [string, string][] = [
    ['BUNDLE_MIRROR__ALL', registryUrlWithCredentials('rubygems-hosted')],
    ['BUNDLE_MIRROR__ALL__FALLBACK_TIMEOUT', 'false'],
  ];
  const { environment, configurationFiles } = setup(packages, (directory) => [
    ...mirror,
    ...(authority
      ? [['BUNDLE_SSL_CA_CERT', relativeToPackage(directory, authority)] as [string, string]]
      : []),
  ]);
  return { environment, configurationFiles: [...configurationFiles, ...(authority ? [authority] : [])] };
}

/** Gems come from a folder of the bundle (cachito.md 4.5). */
export function offlineSetup(packages: readonly BundlerSetup[]): ConsumerSetup {
  return setup(packages, (directory) => [
    ['BUNDLE_CACHE_PATH', posix.relative(posix.join('app', directory), CACHE_DIRECTORY)],
  ]);
}

function setup(
  packages: readonly BundlerSetup[],
  where: (directory: string) => readonly [string, string][],
): ConsumerSetup {
  const configurationFiles = packages.map(({ directory, localGems }): ConfigurationFile => {
    const lines = [...where(directory), ...RULES, ...localOverrides(directory, localGems)].map(
      ([key, value]) => `${key}: "${value}"\n`,
    );
    return {
      path: posix.join('app', configurationPath(directory)),
      content: Buffer.from(`---\n${lines.join('')}`),
    };
  });
  return { environment: [], configurationFiles };
}

/** Bundler takes such paths from where it runs, which is the directory of the Gemfile. */
function localOverrides(directory: string, localGems: readonly LocalGem[]): [string, string][] {
  const from = posix.join('app', directory);
  return localGems
    .map(({ name, bundlePath }): [string, string] => [
      settingKey(`local.${name}`),
      posix.relative(from, bundlePath),
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function configurationPath(directory: string): string {
  return posix.join(directory, '.bundle', 'config');
}
