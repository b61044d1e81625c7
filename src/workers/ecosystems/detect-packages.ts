import type { PackageManager } from '../../domain/packages/package.ts';
import type { SourceFiles } from '../../domain/sources/source-tree.ts';
import type { DetectContext, DetectedPackage, Ecosystem } from './ecosystem.ts';

export interface Detection {
  found: Map<PackageManager, DetectedPackage[]>;
  /** What lies where nobody builds from; see {@link INCIDENTAL}. */
  leftOut: Map<PackageManager, DetectedPackage[]>;
}

/** Directories whose packages are no part of what the repository ships: test data, examples, copies of others. */
const INCIDENTAL = new Set([
  '__fixtures__',
  '__tests__',
  'demo',
  'demos',
  'example',
  'examples',
  'fixture',
  'fixtures',
  'node_modules',
  'sample',
  'samples',
  'test',
  'testdata',
  'tests',
  'third_party',
  'vendor',
]);

/**
 * Asks every package manager what it can work on. Packages in incidental directories count only when there are no
 * others: then they are what the repository is about.
 */
export async function detectPackages(
  source: SourceFiles,
  ecosystems: readonly Ecosystem[],
  context?: DetectContext,
): Promise<Detection> {
  const main: Detection['found'] = new Map();
  const incidental: Detection['found'] = new Map();
  for (const ecosystem of ecosystems) {
    const detected = await ecosystem.detect(source, context);
    const { true: aside = [], false: proper = [] } = Object.groupBy(detected, ({ options }) =>
      isIncidental(options.path) ? 'true' : 'false',
    );
    if (proper.length > 0) main.set(ecosystem.name, proper);
    if (aside.length > 0) incidental.set(ecosystem.name, aside);
  }
  return main.size > 0 ? { found: main, leftOut: incidental } : { found: incidental, leftOut: new Map() };
}

function isIncidental(path: string): boolean {
  return path.split('/').some((part) => INCIDENTAL.has(part.toLowerCase()));
}
