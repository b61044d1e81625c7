import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { RepositoryAccessError } from '../../domain/errors.ts';

/** What `stowage prefetch <source>` names: something for git to reach, or a repository on this machine. */
export type SourceArgument = { kind: 'url'; url: string } | { kind: 'local'; path: string };

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const SCP_LIKE = /^[^/\s]+@[^/\s:]+:/;

/** Throws RepositoryAccessError when it is neither. */
export function readSourceArgument(text: string): SourceArgument {
  if (SCHEME.test(text)) {
    if (/^file:\/\//i.test(text)) return { kind: 'local', path: localPath(text) };
    return { kind: 'url', url: text };
  }
  if (existsSync(text)) return { kind: 'local', path: resolve(text) };
  if (SCP_LIKE.test(text)) return { kind: 'url', url: text };
  throw new RepositoryAccessError(
    'not-a-git-repository',
    `${text} is neither a directory nor the URL of a repository`,
    {
      hint: 'Give the URL of a git repository, or the path of one on this machine.',
    },
  );
}

function localPath(text: string): string {
  try {
    return fileURLToPath(text);
  } catch (cause) {
    throw new RepositoryAccessError('not-a-git-repository', `${text} names no directory of this machine`, {
      cause,
    });
  }
}

/** The URL of a repository on this machine, whatever characters its path has. */
export function localRepositoryUrl(path: string): string {
  return pathToFileURL(path).href;
}

/** The last part of a URL or path, without `.git`, as a part of a file name. */
export function repositoryName(location: string): string {
  const path = location.replace(/[?#].*$/, '').replace(/\/+$/, '');
  const name = basename(path.replace(/^.*:(?!\/\/)/, '')).replace(/\.git$/, '');
  return name.replace(/[^\w.-]+/g, '-').replace(/^[.-]+/, '') || 'source';
}
