import { posix } from 'node:path';
import { DomainError } from '../../domain/errors.ts';
import { anyHash, lockedFile, pathInSource } from '../ecosystems/locked-files.ts';
import type { ResolvedDependency } from './components.ts';
import type { LockedDependency, LockedPackage } from './dependency.ts';
import { DEFAULT_REGISTRY } from './registries.ts';
import type { ClassificationRules } from './sources.ts';

/** For lock files that are only described: what one says does not depend on the registries of this machine. */
export const DESCRIPTION_RULES: ClassificationRules = {
  registries: {
    upstream: DEFAULT_REGISTRY,
    scopes: new Map(),
    fromSettings: false,
    headersFor: () => ({}),
  },
  configuredRegistries: false,
  fileDepsAllowlist: {},
};

type Entry = LockedPackage & { version: string | null };

/** Dependencies as their entries describe them; what cannot be told of one is left out, with the reason. */
export function describeDependencies<One extends Entry>(
  entries: readonly One[],
  classify: (entry: One) => LockedDependency<One>,
): { dependencies: ResolvedDependency<One>[]; leftOut: string[] } {
  const dependencies: ResolvedDependency<One>[] = [];
  const leftOut: string[] = [];
  for (const entry of entries) {
    try {
      dependencies.push(described(entry, classify(entry)));
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      leftOut.push(error.message);
    }
  }
  return { dependencies, leftOut };
}

function described<One extends Entry>(
  entry: One,
  dependency: LockedDependency<One>,
): ResolvedDependency<One> {
  const { kind, expected } = dependency;
  const isFile = kind === 'registry' || kind === 'http';
  return {
    dependency,
    version: entry.version,
    license: entry.license,
    artifact: isFile ? lockedFile(entry.source, expected) : null,
    bundlePath: null,
    properties: anyHash(expected),
  };
}

/** A package of the source itself, whoever allows it. Throws ValidationError for one outside. */
export function localDependency<One extends LockedPackage>(
  entry: One,
  path: string,
  directory: string,
): LockedDependency<One> {
  pathInSource(directory, path);
  const folder = posix.normalize(path).replace(/(?<=.)\/$/, '');
  return { kind: 'file', entry, expected: [], version: `file:${path}`, path: folder };
}

/** Registries have tarballs at `<name>/-/<file>`, whatever their own address is. */
export function isRegistryTarball({ name, source }: LockedPackage): boolean {
  if (source === null || !/^https?:/i.test(source) || !URL.canParse(source)) return false;
  const path = new URL(source).pathname.replaceAll(/%2f/gi, '/').replaceAll('%40', '@');
  return path.includes(`/${name}/-/`);
}
