import { posix } from 'node:path';
import { FileAccessError, ValidationError } from '../../../domain/errors.ts';
import type { PackageOptions } from '../../../domain/packages/package.ts';
import type { SourceFiles } from '../../../domain/sources/source-tree.ts';
import { isFile } from '../source-files.ts';
import type { Rules } from './requirement.ts';
import { isOption, parseRequirementsFile, type RequirementsFile } from './requirements-file.ts';

export const REQUIREMENTS = 'requirements.txt';
export const BUILD_REQUIREMENTS = 'requirements-build.txt';

/** What one `pip install -r` reads: a file, those that it includes, and the constraints of all of them. */
export interface RequirementsTree {
  /** From a file of build requirements. */
  dev: boolean;
  /** In the order in which they are met. */
  files: RequirementsFile[];
  /** Own interface only. */
  constraints: RequirementsFile[];
}

export interface ReadingOptions {
  source: SourceFiles;
  rules: Rules;
  maxBytes: number;
}

/**
 * The given files, or those of the conventional names that are there (prefetch.md 5.1); nested `-r` relative to the
 * including file, each file once (5.3).
 */
export async function readRequirements(
  { path, requirementsFiles, requirementsBuildFiles }: PackageOptions,
  options: ReadingOptions,
): Promise<RequirementsTree[]> {
  const seen = new Set<string>();
  const trees: RequirementsTree[] = [];
  for (const [dev, given, conventional] of [
    [false, requirementsFiles, REQUIREMENTS],
    [true, requirementsBuildFiles, BUILD_REQUIREMENTS],
  ] as const) {
    const names = given ?? [conventional];
    for (const name of names) {
      const file = posix.join(path, name);
      if (given === undefined && !isFile(options.source, file)) continue;
      trees.push(await readTree(file, dev, seen, options));
    }
  }
  return trees;
}

async function readTree(
  root: string,
  dev: boolean,
  seen: Set<string>,
  options: ReadingOptions,
): Promise<RequirementsTree> {
  const tree: RequirementsTree = { dev, files: [], constraints: [] };
  const seenConstraints = new Set<string>();
  const queue = [{ path: root, isConstraint: false }];
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { isConstraint } = next;
    const found = isConstraint ? seenConstraints : seen;
    const path = resolved(next.path, options.source);
    if (found.has(path)) continue;
    found.add(path);
    const file = parseRequirementsFile(path, await read(path, options), options.rules);
    (isConstraint ? tree.constraints : tree.files).push(file);
    const included = file.options.flatMap((option) => {
      const constrains = isOption(option, '--constraint');
      if (!constrains && !isOption(option, '--requirement')) return [];
      if (constrains && options.rules === 'cachito') return [];
      return [{ path: includedPath(file, option.value ?? ''), isConstraint: isConstraint || constrains }];
    });
    // What a file includes comes before what follows the file, as if it stood there.
    queue.unshift(...included);
  }
  return tree;
}

function includedPath(file: RequirementsFile, value: string): string {
  if (/^[A-Za-z][A-Za-z0-9+.-]+:/.test(value)) {
    throw new ValidationError(
      'unsupported-feature',
      `The requirements file app/${file.path} includes ${value.replace(/\/\/[^/@]*@/, '//')}: only files of the source can be included`,
    );
  }
  return posix.isAbsolute(value) ? value : posix.join(posix.dirname(file.path), value);
}

/** The path without links, so that one file is one file. */
function resolved(path: string, source: SourceFiles): string {
  const normal = posix.normalize(path);
  const isOutside = posix.isAbsolute(normal) || normal === '..' || normal.startsWith('../');
  if (!isOutside && !normal.includes('\0') && isFile(source, normal)) return normal;
  throw new FileAccessError(
    isOutside ? 'path-outside-root' : 'lockfile-not-found',
    `Following requirement file has an invalid path: ${posix.isAbsolute(normal) ? normal : `app/${normal}`}`,
  );
}

async function read(path: string, { source, maxBytes }: ReadingOptions): Promise<Buffer> {
  const entry = source.lookup(path);
  if (entry !== null && entry !== 'directory' && entry.size > maxBytes) {
    throw new ValidationError('unexpected-format', `The file app/${path} is larger than ${maxBytes} bytes`);
  }
  return source.read(path, maxBytes);
}
