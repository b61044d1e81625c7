import { posix } from 'node:path';
import { DomainError, InvalidRequestData } from '../../../domain/errors.ts';
import { canonicalName } from '../../../domain/packages/python-project-name.ts';
import type { SourceTree } from '../../../domain/sources/source-tree.ts';
import type { StepLog } from '../ecosystem.ts';
import { repositoryName } from '../repository-name.ts';
import { safeVersion } from './project-version.ts';
import { parsePyproject } from './pyproject.ts';
import type { Rules } from './requirement.ts';
import { parseSetupCfg } from './setup-cfg.ts';
import { parseSetupPy, type StaticMetadata } from './setup-py.ts';

export interface ProjectMetadata {
  name: string;
  version: string | null;
}

export interface MetadataQuestion {
  source: SourceTree;
  /** Of the package, relative to the source root. */
  directory: string;
  rules: Rules;
  repository: string | null;
  maxBytes: number;
  log: StepLog;
}

/**
 * Name and version of a package of the source, without running any of it: setup.py, then setup.cfg, then pyproject.toml
 * for what is still missing. The own interface makes a name up from the repository's when there is none.
 */
export async function readProjectMetadata(question: MetadataQuestion): Promise<ProjectMetadata> {
  const { rules, repository, directory } = question;
  const found = await firstOfEach([
    () => readPart(question, 'setup.py', async (text) => parseSetupPy(text)),
    () =>
      readPart(question, 'setup.cfg', (text) =>
        parseSetupCfg(text, bundlePath(directory), fileReader(question)),
      ),
    () => readPart(question, 'pyproject.toml', async (text) => parsePyproject(text)),
  ]);
  const version = found.version === null ? null : safeVersion(found.version);
  if (rules === 'native') return { name: found.name ?? inferredName(repository, directory), version };
  if (found.name !== null && version !== null) return { name: found.name, version };
  const missing = [...(found.name === null ? ['name'] : []), ...(version === null ? ['version'] : [])];
  throw new InvalidRequestData('invalid-input', `Could not resolve package metadata: ${missing.join(', ')}`, {
    hint: 'State name and version in setup.cfg, or in [project] of pyproject.toml.',
  });
}

async function firstOfEach(readers: readonly (() => Promise<StaticMetadata>)[]): Promise<StaticMetadata> {
  const found: StaticMetadata = { name: null, version: null };
  for (const read of readers) {
    if (found.name !== null && found.version !== null) break;
    const { name, version } = await read();
    found.name ??= name || null;
    found.version ??= version || null;
  }
  return found;
}

/** A file that cannot be read tells nothing; what breaks a rule of the contract fails the request. */
async function readPart(
  question: MetadataQuestion,
  name: string,
  parse: (text: string) => Promise<StaticMetadata>,
): Promise<StaticMetadata> {
  const text = await fileReader(question)(name);
  if (text === null) return { name: null, version: null };
  try {
    return await parse(text);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const path = posix.join(bundlePath(question.directory), name);
    question.log.warn(`pip: ${path} is not understood: ${(error as Error).message}`);
    return { name: null, version: null };
  }
}

function fileReader({ source, directory, maxBytes }: MetadataQuestion) {
  return async (path: string): Promise<string | null> => {
    const file = posix.join(directory, path);
    const entry = source.lookup(file);
    if (entry === null || entry === 'directory' || entry.mode === '160000' || entry.size > maxBytes)
      return null;
    return (await source.read(file, maxBytes)).toString('utf8');
  };
}

/** `<repository>-<folders>`, as PEP 503 writes names. */
function inferredName(repository: string | null, directory: string): string {
  const parts = [
    repositoryName(repository),
    ...directory.split('/').filter((part) => part !== '.' && part !== ''),
  ];
  return canonicalName(parts.join('-').replace(/[^A-Za-z0-9._-]+/g, '-')).replace(/^-+|-+$/g, '') || 'source';
}

function bundlePath(directory: string): string {
  return posix.join('app', directory);
}
