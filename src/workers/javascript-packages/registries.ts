import { realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import Config from '@npmcli/config';
import npmDefinitions from '@npmcli/config/lib/definitions/index.js';
import semver from 'semver';
import type { Settings } from '../../domain/config.ts';
import { basicAuthorization } from '../downloads/credentials.ts';
import { upstreamBaseUrl } from '../downloads/upstream-base-url.ts';
import { isVersion } from './package-name.ts';

/** Where npm packages come from on this machine. URLs end in `/` and carry no credentials. */
export interface NpmRegistries {
  /** Serves everything that no scope claims. */
  upstream: string;
  /** Registries of scopes (`@scope`), for the own interface. */
  scopes: ReadonlyMap<string, string>;
  /** True when a setting of Stowage names the upstream: then everything goes through it. */
  fromSettings: boolean;
  /** Headers for a URL, from the credentials that belong to it. */
  headersFor(url: string): Record<string, string>;
}

const { definitions, flatten, shorthands } = npmDefinitions;

type Environment = Record<string, string | undefined>;
type NpmConfig = ReadonlyMap<string, string>;

/** npm's own default. */
export const DEFAULT_REGISTRY = upstreamBaseUrl(definitions.registry!.default as string);
const PUBLIC_HOST = new URL(DEFAULT_REGISTRY).host;
/** Yarn 1's name for the same content (prefetch.md 1.2). Only recognised, never asked; no library defines it. */
const YARN_ALIAS_HOST = 'registry.yarnpkg.com';

/** STOWAGE_NPM_REGISTRY, else what npm itself would use on this machine: environment, user, global, built-in. */
export async function readRegistries(
  settings: Pick<Settings, 'npmRegistry'>,
  environment: Environment = process.env,
): Promise<NpmRegistries> {
  const config = await readNpmConfig(environment);
  const configured = settings.npmRegistry ?? config.get('registry') ?? DEFAULT_REGISTRY;
  const scopes = new Map<string, string>();
  for (const [key, value] of config) {
    if (!/^@[^:]+:registry$/.test(key)) continue;
    scopes.set(key.slice(0, -':registry'.length), upstreamBaseUrl(value));
  }
  return {
    upstream: upstreamBaseUrl(configured),
    scopes,
    fromSettings: settings.npmRegistry !== null,
    headersFor: (url) => authorization(url, config, configured),
  };
}

export function isPublicRegistry(url: URL): boolean {
  return url.host === PUBLIC_HOST || url.host === YARN_ALIAS_HOST;
}

/** Whether a URL is one of the configured registry for the package. */
export function inRegistry(registries: NpmRegistries, name: string, url: URL): boolean {
  const base = registries.scopes.get(scopeOf(name)) ?? registries.upstream;
  return url.href.startsWith(base);
}

/** The tarball as it is written in lock files: on npm's default registry. */
export function publicTarballUrl(name: string, version: string): string {
  return tarballUrl(DEFAULT_REGISTRY, name, version);
}

/** Where the tarball is fetched, and the registry's identity for the store's key. */
export function upstreamTarball(
  registries: NpmRegistries,
  name: string,
  version: string,
  source: string | null,
  useScopes: boolean,
): { registry: string; url: string } {
  const scoped = useScopes && !registries.fromSettings ? registries.scopes.get(scopeOf(name)) : undefined;
  const registry = scoped ?? registries.upstream;
  // Private registries may keep tarballs under paths of their own: the lock knows them.
  if (source?.startsWith(registry) && !isPublicRegistry(new URL(source))) return { registry, url: source };
  const fileName = source === null ? null : looseFileName(source, name, version);
  return { registry, url: tarballUrl(registry, name, version, fileName) };
}

/**
 * Versions of the registry's first years were not written as semver has them now: `1.0.2beta` is `1.0.2-beta`, but its
 * tarball keeps its name. Null unless the lock's URL is that of the same package and means the same version.
 */
function looseFileName(source: string, name: string, version: string): string | null {
  const { pathname } = new URL(source);
  const fileName = pathname.slice(pathname.lastIndexOf('/') + 1);
  const begin = `${unscoped(name)}-`;
  if (!fileName.startsWith(begin) || !fileName.endsWith('.tgz')) return null;
  const written = fileName.slice(begin.length, -'.tgz'.length);
  return isVersion(written) && semver.eq(written, version, { loose: true }) ? fileName : null;
}

function tarballUrl(registry: string, name: string, version: string, fileName: string | null = null): string {
  // Build metadata is no part of a version in a registry.
  const published = version.replace(/^[v=\s]+/, '').replace(/\+.*$/, '');
  return `${registry}${name}/-/${fileName ?? `${unscoped(name)}-${published}.tgz`}`;
}

function unscoped(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

function scopeOf(name: string): string {
  return name.startsWith('@') ? name.slice(0, name.indexOf('/')) : '';
}

/** npm looks for `//host/path/:_authToken` and the like, from the whole path upwards. */
function authorization(url: string, config: NpmConfig, configured: string): Record<string, string> {
  const { host, pathname } = new URL(url);
  for (let path = pathname.replace(/[^/]*$/, ''); path !== ''; path = path.replace(/[^/]*\/$/, '')) {
    const key = `//${host}${path}:`;
    const token = config.get(`${key}_authToken`);
    if (token) return { authorization: `Bearer ${token}` };
    const basic = config.get(`${key}_auth`);
    if (basic) return { authorization: `Basic ${basic}` };
    const user = config.get(`${key}username`);
    const password = config.get(`${key}_password`);
    if (user && password) return basicAuthorization(`${user}:${Buffer.from(password, 'base64')}`);
  }
  const upstream = new URL(configured);
  if (upstream.username !== '' && upstream.host === host) {
    return basicAuthorization(
      `${decodeURIComponent(upstream.username)}:${decodeURIComponent(upstream.password)}`,
    );
  }
  return {};
}

/** The values that matter here, as npm reads them, but never a project's `.npmrc`. */
async function readNpmConfig(environment: Environment): Promise<NpmConfig> {
  const npm = findNpm(environment);
  const config = new Config({
    definitions,
    shorthands,
    flatten,
    npmPath: npm.directory,
    execPath: npm.nodePath,
    // A global command has no project.
    argv: [npm.nodePath, 'npm', '--global'],
    // Loading sets variables.
    env: { ...environment },
    warn: false,
  });
  await config.load();
  const values = new Map<string, string>();
  for (const layer of config.list.toReversed()) {
    for (const [key, value] of Object.entries(layer)) {
      if (typeof value !== 'string') continue;
      const isRegistry = key === 'registry' || key.endsWith(':registry');
      // npm ignores a registry that is no URL.
      if (isRegistry ? URL.canParse(value) : key.startsWith('//')) values.set(key, value);
    }
  }
  return values;
}

/** The npm on PATH: its global and built-in configuration lies beside it. */
function findNpm(environment: Environment): { directory: string; nodePath: string } {
  for (const folder of (environment.PATH ?? '').split(delimiter).filter(Boolean)) {
    try {
      const executable = realpathSync(join(folder, 'npm'));
      return { directory: dirname(dirname(executable)), nodePath: join(folder, 'node') };
    } catch {
      // Not in this folder.
    }
  }
  return { directory: dirname(process.execPath), nodePath: process.execPath };
}
