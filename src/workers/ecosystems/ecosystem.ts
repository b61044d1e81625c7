import type { StepResult } from '../../domain/bundle-requests/step-result.ts';
import type { SbomComponent } from '../../domain/bundles/sbom-component.ts';
import type { Settings } from '../../domain/config.ts';
import type {
  DependencyReplacement,
  Flag,
  PackageManager,
  PackageOptions,
} from '../../domain/packages/package.ts';
import type { Limits } from '../../domain/settings/settings.ts';
import type { SourceFiles, SourceTree } from '../../domain/sources/source-tree.ts';
import type { BlobStore, StoredBlob } from '../../domain/storage/blob-store.ts';
import type { ArtifactStore } from '../downloads/artifact-store.ts';
import type { GitTrees } from '../git/git-trees.ts';
import type { SourceLocation } from './package-purl.ts';

/**
 * One package manager. Every folder under `ecosystems/` exports one of these from its `index.ts`, and has the same
 * files: `detect.ts`, the parsers of its lock files, `resolve.ts` (the story), `layout.ts` (paths inside the bundle),
 * `configuration.ts` (environment and rewritten files), `purl.ts` and `components.ts` (the SBOM's rows), `describe.ts` (the
 * same of what is not fetched). What all share lies beside this file, what only npm and yarn share in `workers/javascript-packages/`.
 */
export interface Ecosystem {
  readonly name: PackageManager;
  /** Finds what this manager can work on, without reading more than names and small files (prefetch.md 1.1). */
  detect(source: SourceFiles, context?: DetectContext): Promise<DetectedPackage[]>;
  /** Whether the rules let it pass without a word that there is nothing to do for it (cachito.md 2.2). Absent: never. */
  isIdle?(context: IdleContext): boolean;
  /** Absent: the manager has no lock files. */
  readonly locks?: LockFiles;
  /**
   * Fetches and verifies all dependencies of the given packages. Runs nothing of the project. May be called again
   * after a crash and then gives the same result.
   */
  resolve(context: ResolveContext): Promise<Resolution>;
}

/** The lock files of a manager, where nothing is fetched: for SBOMs of sources that no bundle was made of. */
export interface LockFiles {
  /** By these names it is found where a package is, and what its lock files say. */
  readonly fileNames: readonly string[];
  /** What the lock files of a package pin, from their text alone. Throws DomainError for what cannot be read. */
  describe(context: DescribeContext): Promise<LockDescription>;
}

export interface DescribeContext {
  source: SourceFiles;
  location: SourceLocation;
  /** Of the package, relative to the source root. */
  directory: string;
  limits: Pick<Limits, 'lockFileBytes' | 'dependencies'>;
}

export interface LockDescription {
  /** The files that were read, relative to the source root. */
  lockFiles: string[];
  components: SbomComponent[];
  /** What they name and no component stands for, with the reason. */
  leftOut: string[];
}

/** Where the source is from, and what is allowed there. */
export interface DetectContext {
  /** null for an uploaded archive. */
  repository: string | null;
  settings: Settings;
}

export interface IdleContext extends Pick<ResolveContext, 'source' | 'packages' | 'settings'> {
  request: Pick<ResolveContext['request'], 'rules'>;
}

export interface DetectedPackage {
  options: PackageOptions;
  /** The files that gave it away, relative to the source root: shown in the plan. */
  evidence: string[];
}

export interface ResolveContext {
  request: {
    id: string;
    /** As submitted; null for an uploaded archive. Used in reports and purls, never the mirror's URL. */
    repository: string | null;
    commit: string | null;
    flags: ReadonlySet<Flag>;
    dependencyReplacements: readonly DependencyReplacement[];
    /** `cachito`: the contract's rules only. `native`: also what prefetch.md grants to the own interface. */
    rules: 'cachito' | 'native';
    /** Refuse artefacts for which no digest is known beforehand (prefetch.md 12). */
    strictIntegrity: boolean;
  };
  /** Normalised, at least one. */
  packages: readonly PackageOptions[];
  source: SourceTree;
  artifacts: ArtifactStore;
  /** Trees and history of git repositories: dependencies, and the source's own tags. */
  git: GitTrees;
  blobs: BlobStore;
  settings: Settings;
  log: StepLog;
  progress: StepProgress;
  /**
   * For managers that know before anything is fetched what comes of it: `work` tells, when downloads run and there is time
   * for it; the function that this returns is told of each file that has come.
   */
  foresee?(work: () => Promise<Foreseen>): FileCame;
  /** Aborted on cancel and on shutdown; every wait must end. */
  signal: AbortSignal;
  /** Exists, empty, removed afterwards by the caller. */
  temporaryDirectory: string;
}

/** What a resolution is going to have, if nothing fails. */
export interface Foreseen extends Pick<Resolution, 'directories' | 'offline'> {
  /** In the bundle, of all files. */
  paths: readonly string[];
}

/** A file is in the store, verified: under its path in the bundle. */
export type FileCame = (path: string, blob: StoredBlob) => void;

export interface StepLog {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
}

/** Counters that the CLI and subscribers see while a step runs. Cheap to call; batched by the caller. */
export interface StepProgress {
  /** Totals as far as they are known. */
  expect(counts: { packages?: number; files?: number }): void;
  add(counts: { packages?: number; files?: number; bytes?: number; cachedFiles?: number }): void;
}

export type Resolution = StepResult;
