import { posix } from 'node:path';
import { DomainError, ValidationError } from '../../../domain/errors.ts';
import type { DescribeContext, LockDescription, LockFiles } from '../ecosystem.ts';
import { anyHash, lockedFile, pathInSource } from '../locked-files.ts';
import { readCapped } from '../source-files.ts';
import { type Classified, classifyGit } from './classify.ts';
import { gemComponents, type ResolvedGem } from './components.ts';
import { LOCK_FILE } from './detect.ts';
import {
  checksumKey,
  type GemfileLock,
  type LockedSource,
  type LockedSpec,
  parseGemfileLock,
} from './lock-file.ts';

export const locks: LockFiles = { fileNames: ['Gemfile', LOCK_FILE], describe };

async function describe({ source, directory, location, limits }: DescribeContext): Promise<LockDescription> {
  const lockFile = posix.join(directory, LOCK_FILE);
  const lock = parseGemfileLock(lockFile, await readCapped(source, lockFile, limits.lockFileBytes));
  const gems: ResolvedGem[] = [];
  const leftOut: string[] = [];
  for (const locked of lock.sources) {
    for (const spec of locked.specs) {
      try {
        gems.push(describeGem(classifyFreely(lock, locked, spec, directory)));
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        leftOut.push(error.message);
      }
    }
  }
  // A Gemfile has no name; the contract gives it one of the repository's.
  const components = gemComponents([{ name: null, version: null, directory, lock, gems }], location);
  return { lockFiles: [lockFile], components, leftOut };
}

function describeGem(dependency: Classified): ResolvedGem {
  if (dependency.kind !== 'gem') return { dependency, artifact: null, bundlePaths: [] };
  const { expected } = dependency;
  return {
    dependency,
    artifact: lockedFile(null, expected),
    bundlePaths: [],
    properties: anyHash(expected),
  };
}

/** Of all platforms and registries: nothing is fetched from there. */
function classifyFreely(
  lock: GemfileLock,
  source: LockedSource,
  spec: LockedSpec,
  directory: string,
): Classified {
  const [remote = '.'] = source.remotes;
  switch (source.kind) {
    case 'GEM': {
      const version = spec.platform === null ? spec.version : `${spec.version}-${spec.platform}`;
      return {
        kind: 'gem',
        spec,
        remote,
        expected: lock.checksums.get(checksumKey(spec.name, version)) ?? [],
      };
    }
    case 'GIT':
      return classifyGit(source, spec);
    case 'PATH':
      pathInSource(directory, remote);
      return { kind: 'path', spec, path: posix.normalize(remote).replace(/(?<=.)\/$/, '') };
    default:
      throw new ValidationError(
        'unsupported-feature',
        `The gem ${spec.name} (${spec.version}) comes from ${source.kind}`,
      );
  }
}
