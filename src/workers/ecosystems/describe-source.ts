import { posix } from 'node:path';
import { mergeComponents } from '../../domain/bundles/sbom/merge-components.ts';
import type { SbomComponent } from '../../domain/bundles/sbom-component.ts';
import { DomainError, ValidationError } from '../../domain/errors.ts';
import type { Limits } from '../../domain/settings/settings.ts';
import type { SourceFiles } from '../../domain/sources/source-tree.ts';
import { detectPackages } from './detect-packages.ts';
import type { DescribeContext, LockDescription, LockFiles } from './ecosystem.ts';
import { ecosystems } from './ecosystems.ts';
import type { SourceLocation } from './package-purl.ts';

/** What the lock files of a source pin, as their texts say. */
export interface SourceDescription {
  /** Merged, sorted. */
  components: SbomComponent[];
  /** The files that were read. */
  lockFiles: string[];
  /** Files that say more than is described, with the reason. */
  unread: Remark[];
  /** Lock files of tests, examples and the like, beside those that are described. */
  aside: string[];
  /** What lock files name and no component stands for, with the reason. */
  leftOut: Remark[];
}

export interface Remark {
  /** Relative to the source root. */
  file: string;
  text: string;
}

/** Of all lock files together. */
export interface DescriptionLimits extends Pick<Limits, 'lockFileBytes' | 'dependencies'> {
  packages: number;
}

const describing = [...ecosystems.values()].filter(({ locks }) => locks !== undefined);

/** Of managers that nothing here reads: who looks for their packages must know. */
const OF_OTHERS: ReadonlySet<string> = new Set([
  'Cargo.lock',
  'Pipfile.lock',
  'bun.lock',
  'composer.lock',
  'mix.lock',
  'pnpm-lock.yaml',
  'poetry.lock',
  'uv.lock',
]);
/** That they are there says that packages are pinned. */
const LOCK_FILES: ReadonlySet<string> = new Set([
  ...OF_OTHERS,
  'Gemfile.lock',
  'go.sum',
  'npm-shrinkwrap.json',
  'package-lock.json',
  'requirements.txt',
  'yarn.lock',
]);

/** Names of all files by which packages and their lock files are found. */
export const DESCRIBED_FILE_NAMES: ReadonlySet<string> = new Set([
  ...LOCK_FILES,
  ...describing.flatMap(({ locks }) => locks!.fileNames),
]);

/**
 * Describes the packages that are found in a source, without network and without running anything of it. A lock file that
 * cannot be read is told of, and in nobody's way.
 */
export async function describeSource(
  source: SourceFiles,
  location: SourceLocation,
  limits: DescriptionLimits,
  { signal, onDefect }: { signal: AbortSignal; onDefect(error: unknown): void },
): Promise<SourceDescription> {
  const { found, leftOut } = await detectPackages(source, describing);
  const described: LockDescription[] = [];
  const unread: Remark[] = [];
  const seen = new Set<string>();
  const rest: Rest = { packages: limits.packages, components: limits.dependencies };
  const metered = new MeteredFiles(source, limits.lockFileBytes);
  for (const { name, locks } of describing) {
    for (const { options, evidence } of found.get(name) ?? []) {
      signal.throwIfAborted();
      for (const file of evidence) seen.add(file);
      const file = evidence.find(isLockFile) ?? evidence[0]!;
      const context = { source: metered, location, directory: options.path, limits };
      try {
        described.push(await describePackage(locks!, context, rest));
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DomainError)) onDefect(error);
        unread.push({ file, text: error instanceof DomainError ? error.message : 'it cannot be read' });
      }
    }
  }
  const incidental = new Set([...leftOut.values()].flat().flatMap(({ evidence }) => evidence));
  const others = [...source.entries.keys()].filter(isLockFile).filter((file) => !seen.has(file));
  for (const file of others) {
    if (!incidental.has(file)) unread.push({ file, text: 'lock files of this kind are not read' });
  }
  return {
    components: mergeComponents(described.map(componentsOf)),
    lockFiles: [...new Set(described.flatMap(({ lockFiles }) => lockFiles))].sort(),
    unread,
    aside: others.filter((file) => incidental.has(file)),
    leftOut: described.flatMap(({ lockFiles, leftOut }) =>
      leftOut.map((text) => ({ file: lockFiles[0]!, text })),
    ),
  };
}

interface Rest {
  packages: number;
  components: number;
}

/** What it takes is taken from `rest`. */
async function describePackage(
  locks: LockFiles,
  context: DescribeContext & { limits: DescriptionLimits },
  rest: Rest,
): Promise<LockDescription> {
  const { packages, dependencies } = context.limits;
  rest.packages -= 1;
  if (rest.packages < 0) throw tooMuch(`belong to more than ${packages} packages`);
  const description = await locks.describe(context);
  rest.components -= description.components.length;
  if (rest.components < 0) throw tooMuch(`name more than ${dependencies} dependencies`);
  return description;
}

/** Files of which no more than so many bytes are read, whatever includes what. */
class MeteredFiles implements SourceFiles {
  readonly #source: SourceFiles;
  readonly #most: number;
  #read = 0;

  constructor(source: SourceFiles, most: number) {
    this.#source = source;
    this.#most = most;
  }

  get entries(): SourceFiles['entries'] {
    return this.#source.entries;
  }

  lookup(path: string): ReturnType<SourceFiles['lookup']> {
    return this.#source.lookup(path);
  }

  async read(path: string, maxBytes?: number): Promise<Buffer> {
    const entry = this.lookup(path);
    const size = entry === null || entry === 'directory' ? 0 : entry.size;
    if (this.#read + size > this.#most) throw tooMuch(`have more than ${this.#most} bytes`);
    this.#read += size;
    return await this.#source.read(path, maxBytes);
  }

  open(path: string): ReturnType<SourceFiles['open']> {
    return this.#source.open(path);
  }
}

function tooMuch(what: string): ValidationError {
  return new ValidationError('invalid-lockfile', `the lock files together ${what}`);
}

function isLockFile(path: string): boolean {
  return LOCK_FILES.has(posix.basename(path));
}

/** Where a row does not name its own, it is of all lock files of the package. */
function componentsOf({ components, lockFiles }: LockDescription): SbomComponent[] {
  return components.map((row) =>
    row.isSourcePackage || row.lockFiles !== undefined ? row : { ...row, lockFiles },
  );
}
