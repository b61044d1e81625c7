import { isAbsolute } from 'node:path';
import type { Settings } from '../../domain/config.ts';
import { RepositoryAccessError } from '../../domain/errors.ts';
import { maskCredentials } from '../downloads/mask-credentials.ts';

/** What a repository's URL means, and under which name its objects are kept. */
export interface RepositoryUrl {
  /** As git takes it. */
  url: string;
  scheme: string;
  /** null for local paths. */
  host: string | null;
  port: string | null;
  /** `host[:port]/path`, without scheme, user, `.git` and slashes at the end: two hosts never share a cache. */
  origin: string;
}

const SCP_LIKE = /^(?:[^@/:]+@)?(\[[0-9a-f:]+\]|[^/:[\]]+):(?!\/\/)(.+)$/i;
const DEFAULT_PORTS: Record<string, string> = { https: '443', http: '80', ssh: '22', git: '9418' };

/** Reads URLs, scp-like addresses (which are ssh) and local paths. Throws RepositoryAccessError for anything else. */
export function parseRepositoryUrl(text: string): RepositoryUrl {
  const trimmed = text.replace(/^git\+/, '');
  if (trimmed === '' || trimmed.startsWith('-') || /[\0-\x20\x7f]/.test(trimmed) || trimmed.includes('::')) {
    throw cannotClone(text, 'it is not the URL of a repository');
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(trimmed)?.[1]?.toLowerCase();
  if (scheme === 'file') return local(trimmed.replace(/^file:\/\/(localhost)?/i, ''), trimmed);
  if (scheme) return remote(trimmed, scheme);
  const scp = SCP_LIKE.exec(trimmed);
  if (scp) {
    const [, host = '', path = ''] = scp;
    return { url: trimmed, scheme: 'ssh', host, port: null, origin: `${host.toLowerCase()}/${bare(path)}` };
  }
  return local(trimmed, trimmed);
}

/** Throws RepositoryAccessError with the contract's text when the settings do not allow the scheme. */
export function assertAllowedProtocol(repository: RepositoryUrl, settings: Settings): void {
  if (settings.gitAllowedProtocols.includes(repository.scheme)) return;
  throw cannotClone(
    repository.url,
    `the protocol "${repository.scheme}" is not allowed (STOWAGE_GIT_ALLOWED_PROTOCOLS)`,
  );
}

/** The contract's text for a clone that does not work; the reason is for the log and GraphQL. */
export function cannotClone(url: string, reason: string, cause?: unknown): RepositoryAccessError {
  return new RepositoryAccessError('git-failed', 'Cloning the Git repository failed', {
    cause,
    details: { repository: maskCredentials(url), reason },
    hint: `Check that the repository exists and may be read: ${reason}`,
    retryable: true,
  });
}

function remote(text: string, scheme: string): RepositoryUrl {
  if (!URL.canParse(text)) throw cannotClone(text, 'it is not a valid URL');
  const url = new URL(text);
  const port = url.port === '' || url.port === DEFAULT_PORTS[scheme] ? null : url.port;
  const host = url.hostname;
  const path = decoded(url.pathname);
  if (host === '') throw cannotClone(text, 'the URL names no host');
  return {
    url: text,
    scheme,
    host,
    port,
    origin: `${host.toLowerCase()}${port ? `:${port}` : ''}/${bare(path)}`,
  };
}

function local(path: string, url: string): RepositoryUrl {
  if (!isAbsolute(path)) throw cannotClone(url, 'a local repository needs an absolute path');
  return { url, scheme: 'file', host: null, port: null, origin: `file/${bare(path)}` };
}

function bare(path: string): string {
  return path.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
