import { posix } from 'node:path';
import { mergeComponents } from '../../domain/bundles/sbom/merge-components.ts';
import type { SbomComponent } from '../../domain/bundles/sbom-component.ts';
import { DomainError, ValidationError } from '../../domain/errors.ts';
import type { Limits } from '../../domain/settings/settings.ts';
import type { SourceFiles } from '../../domain/sources/source-tree.ts';
import { detectPackages } from './detect-packages.ts';
import type { LockDescription, LockFiles } from './ecosystem.ts';
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
  limits: Pick<Limits, 'lockFileBytes' | 'dependencies'>,
  { signal, onDefect }: { signal: AbortSignal; onDefect(error: unknown): void },
): Promise<SourceDescription> {
  const { found, leftOut } = await detectPackages(source, describing);
  const described: LockDescription[] = [];
  const unread: Remark[] = [];
  const seen = new Set<string>();
  const rest = { bytes: limits.lockFileBytes, components: limits.dependencies };
  for (const { name, locks } of describing) {
    for (const { options, evidence } of found.get(name) ?? []) {
      signal.throwIfAborted();
      for (const file of evidence) seen.add(file);
      const file = evidence.find(isLockFile) ?? evidence[0]!;
      const context = { source, location, directory: options.path, limits };
      try {
        described.push(await describePackage(locks!, context, evidence, rest));
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

/** What it takes is taken from `rest`. */
async function describePackage(
  locks: LockFiles,
  context: Parameters<LockFiles['describe']>[0],
  evidence: readonly string[],
  rest: { bytes: number; components: number },
): Promise<LockDescription> {
  const { lockFileBytes, dependencies } = context.limits;
  rest.bytes -= evidence.reduce((sum, file) => sum + sizeOf(context.source, file), 0);
  if (rest.bytes < 0) throw tooMuch(`have more than ${lockFileBytes} bytes`);
  const description = await locks.describe(context);
  rest.components -= description.components.length;
  if (rest.components < 0) throw tooMuch(`name more than ${dependencies} dependencies`);
  return description;
}

function tooMuch(what: string): ValidationError {
  return new ValidationError('invalid-lockfile', `the lock files together ${what}`);
}

function isLockFile(path: string): boolean {
  return LOCK_FILES.has(posix.basename(path));
}

function sizeOf(source: SourceFiles, path: string): number {
  const entry = source.lookup(path);
  return entry === null || entry === 'directory' ? 0 : entry.size;
}

/** Where a row does not name its own, it is of all lock files of the package. */
function componentsOf({ components, lockFiles }: LockDescription): SbomComponent[] {
  return components.map((row) =>
    row.isSourcePackage || row.lockFiles !== undefined ? row : { ...row, lockFiles },
  );
}
