import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Settings } from '../../domain/config.ts';
import { RepositoryAccessError } from '../../domain/errors.ts';
import { maskCredentials } from '../downloads/mask-credentials.ts';
import { allowedProtocols } from './git-command.ts';

/** The URL of a git repository, taken apart. */
export interface RepositoryUrl {
  /** As git is given it. */
  text: string;
  protocol: string;
  /** Empty for `file`. */
  host: string;
  port: number | null;
  path: string;
  /**
   * What makes it the same repository: host, port and path, not the protocol. URLs with a password have origins of their
   * own, so that what one user's password opened is not another's.
   */
  origin: string;
}

const DEFAULT_PORTS: Record<string, number> = { https: 443, http: 80, ssh: 22, git: 9418 };
/** Longer ones no server takes, nor a file system or a command line. */
const LONGEST = 4_000;
const LONGEST_SHOWN = 200;
/** It becomes part of a command line that a shell reads (remote-access.ts). Empty: a path. */
const HOST = /^(?:[\p{L}\p{N}._-]*|\[[0-9a-f:.]+\])$/iu;
const SCP_LIKE = /^(?:([^@:/\s]+)@)?(\[[0-9a-fA-F:.]+\]|[^:/[\]@\s]+):(?!\/\/)(.+)$/;

/**
 * Takes a repository's URL apart and refuses what no source may use: options in disguise, transport helpers, protocols
 * that are not allowed, local paths unless `file` is allowed (cachito.md 4.2).
 */
export function parseRepositoryUrl(given: string, settings: Settings): RepositoryUrl {
  const text = given.trim().replace(/^git\+(?=[a-z]+:\/\/)/, '');
  if (text === '') throw refusedUrl(given, 'it is empty');
  if (text.length > LONGEST) throw refusedUrl(given, `it is longer than ${LONGEST} characters`);
  if (text.startsWith('-')) throw refusedUrl(given, 'it looks like an option');
  if (/[\x00-\x20\x7f]/.test(text)) throw refusedUrl(given, 'it contains blanks or control characters');
  if (/^[A-Za-z0-9_+.-]*::/.test(text)) throw refusedUrl(given, 'it names a transport helper');
  const url = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text) ? fromUrl(text) : (fromScp(text) ?? fromPath(text));
  if (url === null) throw refusedUrl(given, 'it is no valid URL');
  if (!allowedProtocols(settings).includes(url.protocol)) {
    throw refusedUrl(given, `the protocol ${url.protocol} is not allowed`, {
      hint: 'STOWAGE_GIT_ALLOWED_PROTOCOLS lists the protocols that a source may use.',
    });
  }
  if (url.host.startsWith('-')) throw refusedUrl(given, 'its host looks like an option');
  if (!HOST.test(url.host)) throw refusedUrl(given, 'its host is no name and no address');
  return url;
}

/** A submodule's URL: those that begin with `./` or `../` are relative to the URL of the parent repository. */
export function resolveSubmoduleUrl(parent: string, relative: string): string {
  if (!/^\.\.?(\/|$)/.test(relative)) return relative;
  const scp = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(parent) ? null : SCP_LIKE.exec(parent);
  const base =
    /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]*/.exec(parent)?.[0] ??
    (scp ? parent.slice(0, parent.indexOf(scp[3]!)) : '');
  const names = parent.slice(base.length).replace(/\/+$/, '').split('/');
  for (const name of relative.split('/')) {
    if (name === '..') {
      if (names.length <= (names[0] === '' ? 1 : 0)) throw refusedUrl(relative, `it leads above ${base}`);
      names.pop();
    } else if (name !== '.' && name !== '') names.push(name);
  }
  return base + names.join('/');
}

/** The same repository over https, for `ssh` URLs: public ones need no key there. */
export function overHttps(url: RepositoryUrl): string | null {
  if (url.protocol !== 'ssh' || url.port !== null) return null;
  return `https://${url.host}/${url.path.replace(/^\/+/, '')}`;
}

/** Fails with the text of cachito.md 4.2; the reason goes to the log. */
export function refusedUrl(
  url: string,
  reason: string,
  options: { hint?: string } = {},
): RepositoryAccessError {
  const masked = maskCredentials(url);
  const shown = masked.length > LONGEST_SHOWN ? `${masked.slice(0, LONGEST_SHOWN)}…` : masked;
  return new RepositoryAccessError('git-failed', 'Cloning the Git repository failed', {
    hint: `The repository ${JSON.stringify(shown)} was refused: ${reason}.${options.hint ? ` ${options.hint}` : ''}`,
    details: { url: shown, reason },
  });
}

function fromUrl(text: string): RepositoryUrl | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const protocol = url.protocol.slice(0, -1).replace(/^(git\+ssh|ssh\+git)$/, 'ssh');
  if (protocol === 'file') {
    const path = decoded(url.pathname);
    return url.host === '' && path !== null ? fromPath(path) : null;
  }
  if (url.hostname === '') return null;
  const port = url.port === '' || Number(url.port) === DEFAULT_PORTS[protocol] ? null : Number(url.port);
  const host = url.hostname.toLowerCase();
  const user = decoded(url.username);
  if (user === null) return null;
  const owner = protocol === 'ssh' ? sshOwner(user) : '';
  const origin = originOf(`${owner}${host}`, port, url.pathname + url.search) + secretMark(url);
  return { text: text.replace(/#.*$/, ''), protocol, host, port, path: url.pathname, origin };
}

/** null: its percent signs do not stand for UTF-8. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function fromScp(text: string): RepositoryUrl | null {
  const match = SCP_LIKE.exec(text);
  if (!match) return null;
  const [, user = '', givenHost = '', path = ''] = match;
  const host = givenHost.toLowerCase();
  return {
    text,
    protocol: 'ssh',
    host,
    port: null,
    path,
    origin: originOf(sshOwner(user) + host, null, path),
  };
}

function fromPath(text: string): RepositoryUrl {
  const path = resolve(text);
  return { text: path, protocol: 'file', host: '', port: null, path, origin: `file:${path}` };
}

function originOf(host: string, port: number | null, path: string): string {
  const plain = path.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
  return `${host}${port === null ? '' : `:${port}`}/${plain}`;
}

/** Another user than the usual one may have other repositories under the same path. */
function sshOwner(user: string): string {
  return user === '' || user === 'git' ? '' : `${user}@`;
}

function secretMark({ protocol, username, password }: URL): string {
  if (password === '' && (username === '' || protocol === 'ssh:')) return '';
  return `#${createHash('sha256').update(`${username}:${password}`).digest('hex').slice(0, 16)}`;
}
