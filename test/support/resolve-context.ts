import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { readSettings, type Settings } from '../../src/domain/config.ts';
import { RepositoryAccessError } from '../../src/domain/errors.ts';
import type { PackageOptions } from '../../src/domain/packages/package.ts';
import type { SourceTree } from '../../src/domain/sources/source-tree.ts';
import type { ResolveContext } from '../../src/workers/ecosystems/ecosystem.ts';
import type { GitTag, GitTrees } from '../../src/workers/git/git-trees.ts';
import { MemoryBlobStore } from './memory-blob-store.ts';
import { PlainArtifactStore } from './plain-artifact-store.ts';

export interface ResolveContextOptions {
  source: SourceTree;
  /** Default: the root. */
  packages?: readonly PackageOptions[];
  settings?: Partial<Settings>;
  request?: Partial<ResolveContext['request']>;
  /** Trees of git dependencies by `<url>#<commit>`; others cannot be cloned. */
  trees?: Record<string, SourceTree>;
  /** Tags by `<url>#<commit>`. */
  tags?: Record<string, GitTag[]>;
  git?: GitTrees;
  signal?: AbortSignal;
  /** Kept from an earlier context, to see what a second request fetches. */
  artifacts?: PlainArtifactStore;
  blobs?: MemoryBlobStore;
}

export interface TestResolveContext {
  context: ResolveContext;
  blobs: MemoryBlobStore;
  artifacts: PlainArtifactStore;
  /** `warn: text` and so on, in order. */
  lines: string[];
  progress: { packages: number; files: number; bytes: number; cachedFiles: number };
}

/** A context for the tests of one ecosystem: real HTTP to fixture servers, everything else in memory. */
export function resolveContext(options: ResolveContextOptions): TestResolveContext {
  const blobs = options.blobs ?? new MemoryBlobStore();
  const artifacts = options.artifacts ?? new PlainArtifactStore(blobs);
  const lines: string[] = [];
  const progress = { packages: 0, files: 0, bytes: 0, cachedFiles: 0 };
  const context: ResolveContext = {
    request: {
      id: '1',
      repository: 'https://git.example/team/project.git',
      commit: 'c'.repeat(40),
      flags: new Set(),
      dependencyReplacements: [],
      rules: 'native',
      strictIntegrity: false,
      ...options.request,
    },
    packages: options.packages ?? [{ path: '.' }],
    source: options.source,
    artifacts,
    git: options.git ?? fixedTrees(options.trees ?? {}, options.tags ?? {}),
    blobs,
    settings: { ...readSettings({}), ...options.settings },
    log: {
      debug: (message) => lines.push(`debug: ${message}`),
      info: (message) => lines.push(`info: ${message}`),
      warn: (message) => lines.push(`warn: ${message}`),
    },
    progress: {
      expect: () => {},
      add: ({ packages = 0, files = 0, bytes = 0, cachedFiles = 0 }) => {
        progress.packages += packages;
        progress.files += files;
        progress.bytes += bytes;
        progress.cachedFiles += cachedFiles;
      },
    },
    signal: options.signal ?? new AbortController().signal,
    temporaryDirectory: temporaryDirectory(),
  };
  return { context, blobs, artifacts, lines, progress };
}

/** Removed when the test ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'stowage-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function fixedTrees(trees: Record<string, SourceTree>, tags: Record<string, GitTag[]>): GitTrees {
  return {
    async tree(url, commit) {
      const tree = trees[`${url}#${commit}`];
      if (!tree) throw new RepositoryAccessError('git-failed', `Failed to clone ${url}`);
      return tree;
    },
    async resolveRef(url, ref) {
      throw new RepositoryAccessError('bad-revision', `There is no ${ref} in ${url}`);
    },
    reachableTags: async (url, commit) => tags[`${url}#${commit}`] ?? [],
    async exportGitDirectory(url, commit, directory) {
      if (!trees[`${url}#${commit}`]) throw new RepositoryAccessError('git-failed', `Failed to clone ${url}`);
      writeFileSync(join(directory, 'HEAD'), `${commit}\n`);
    },
    async packCommit(url, commit) {
      throw new RepositoryAccessError('git-failed', `There are no objects of ${commit} in ${url}`);
    },
    async indexPack(pack) {
      throw new RepositoryAccessError('git-failed', `There is no pack ${pack}`);
    },
  };
}
