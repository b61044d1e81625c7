import { posix } from 'node:path';
import { ValidationError } from '../../../domain/errors.ts';
import { followPath } from '../../../domain/sources/follow-path.ts';
import type { SourceTree } from '../../../domain/sources/source-tree.ts';
import type { ExpectedDigest } from '../../downloads/artifact-store.ts';
import { checksumKey, type GemfileLock, type LockedSource, type LockedSpec } from './lock-file.ts';

/** Where a gem of a lock file comes from. */
export type Classified = GemDependency | GitDependency | PathDependency;

export interface GemDependency {
  kind: 'gem';
  spec: LockedSpec;
  /** The registry that the lock names. */
  remote: string;
  /** Of CHECKSUMS; empty when the lock has none for it. */
  expected: ExpectedDigest[];
}

export interface GitDependency {
  kind: 'git';
  spec: LockedSpec;
  /** As in the lock. */
  url: string;
  commit: string;
  /** What the Gemfile asks for, where it does not ask for the default branch; Bundler looks these names up. */
  branch: string | null;
  tag: string | null;
  ref: string | null;
  submodules: boolean;
}

interface PathDependency {
  kind: 'path';
  spec: LockedSpec;
  /** Relative to the package. */
  path: string;
}

export interface ClassificationRules {
  /** Of the package, relative to the source root. */
  directory: string;
  source: SourceTree;
  /** Whether gems may come from this registry, besides the one of the contract. */
  isUpstream(remote: string): boolean;
}

/** The only registry that the contract knows; it is fetched through the configured upstream. */
export const CONTRACT_REMOTE = 'https://rubygems.org/';

/** The checks of prefetch.md 7.1, in its order. Throws ValidationError. */
export function classifyLock(lock: GemfileLock, rules: ClassificationRules): Classified[] {
  if (lock.platforms.length !== 1 || lock.platforms[0] !== 'ruby') {
    throw new ValidationError(
      'unsupported-feature',
      'PLATFORMS section of Gemfile.lock has to contain one and only platform - ruby.',
      {
        hint: 'Run bundle lock --add-platform ruby, and --remove-platform for each of the others, and commit the lock file.',
      },
    );
  }
  return lock.sources.flatMap((source): Classified[] => {
    switch (source.kind) {
      case 'GEM':
        return source.specs.map((spec) => classifyGem(lock, source, spec, rules));
      case 'GIT':
        return source.specs.map((spec) => classifyGit(source, spec));
      case 'PATH':
        return source.specs.map((spec) => classifyPath(source, spec, rules));
      default:
        throw new ValidationError(
          'unsupported-feature',
          'Gemfile.lock contains unsupported dependency type.',
          { hint: `It has a section ${source.kind}.` },
        );
    }
  });
}

function classifyGem(
  lock: GemfileLock,
  { remotes }: LockedSource,
  spec: LockedSpec,
  { isUpstream }: ClassificationRules,
): GemDependency {
  const [remote] = remotes;
  if (
    remote === undefined ||
    !remotes.every((one) => one === CONTRACT_REMOTE || (URL.canParse(one) && isUpstream(one)))
  ) {
    throw new ValidationError(
      'unsupported-feature',
      'Cachito supports only https://rubygems.org/ as a remote for Ruby GEM dependencies.',
    );
  }
  if (spec.platform !== null) {
    throw new ValidationError(
      'unsupported-feature',
      `The gem ${spec.name} (${spec.version}-${spec.platform}) is made for one platform; only those for ruby are supported.`,
    );
  }
  const expected = lock.checksums.get(checksumKey(spec.name, spec.version)) ?? [];
  return { kind: 'gem', spec, remote, expected };
}

export function classifyGit({ remotes, options }: LockedSource, spec: LockedSpec): GitDependency {
  const [url = ''] = remotes;
  if (!url.startsWith('https://') || !URL.canParse(url)) {
    throw new ValidationError(
      'invalid-vcs-reference',
      'All Ruby GIT dependencies have to use HTTPS protocol.',
    );
  }
  const revision = options.get('revision');
  if (revision === undefined || !/^[0-9a-f]{40}$/i.test(revision)) {
    throw new ValidationError(
      'invalid-vcs-reference',
      `No git ref for gem: ${spec.name} (expected 40 hexadecimal characters, got: ${revision ?? 'None'}).`,
    );
  }
  const commit = revision.toLowerCase();
  const names = { branch: nameOf('branch'), tag: nameOf('tag'), ref: nameOf('ref') };
  return { kind: 'git', spec, url, commit, ...names, submodules: options.get('submodules') === 'true' };

  function nameOf(option: 'branch' | 'tag' | 'ref'): string | null {
    const name = options.get(option) ?? null;
    if (name === null || isRefName(name)) return name;
    throw new ValidationError(
      'invalid-vcs-reference',
      `The ${option} ${JSON.stringify(name.slice(0, 200))} of the gem ${spec.name} is not valid.`,
    );
  }
}

/** git-check-ref-format, and safe as a path. */
function isRefName(name: string): boolean {
  return (
    name.length <= 200 &&
    !/[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^\/|\/$|\.$/.test(name) &&
    name !== '@' &&
    name.split('/').every((part) => !part.startsWith('.') && !part.startsWith('-') && !/\.lock$/i.test(part))
  );
}

function classifyPath(
  { remotes }: LockedSource,
  spec: LockedSpec,
  { directory, source }: ClassificationRules,
): PathDependency {
  const [remote = '.'] = remotes;
  const path = posix.isAbsolute(remote) ? remote : posix.join(directory, remote);
  const destination = followPath(
    treeShape(source),
    posix.isAbsolute(remote) ? remote : `${directory}/${remote}`,
  );
  const problem = {
    found: null,
    missing: `PATH dependency ${spec.name} references a non-existing path: ${path}.`,
    loop: `Path of PATH dependency ${spec.name} contains an infinite loop: ${path}.`,
    outside: `${path} is not a subpath of .`,
  }[destination.kind];
  if (problem !== null) {
    throw new ValidationError(
      destination.kind === 'outside' ? 'path-outside-root' : 'invalid-lockfile',
      problem,
    );
  }
  return { kind: 'path', spec, path: posix.normalize(remote).replace(/(?<=.)\/$/, '') };
}

function treeShape(source: SourceTree) {
  return {
    entries: source.entries,
    isDirectory: (path: string) => source.lookup(path) === 'directory',
  };
}
