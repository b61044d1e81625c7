import { compare, eq, prerelease, valid } from 'semver';
import type { BundledFile, BundledFiles } from './bundled-files.ts';
import type { FileFacts } from './file-facts.ts';
import { type NpmTarballFacts, npmTarball } from './npm-tarball.ts';

/** A version of a package, as its place in the bundle names it (prefetch.md 3.1). */
export interface NpmVersion {
  version: string;
  file: BundledFile;
}

/** The tarballs of a request's npm or yarn packages. */
export interface NpmPackages {
  byName: ReadonlyMap<string, readonly NpmVersion[]>;
  /** Below `github/ns/repo` and the like: only the file itself knows what it is called. */
  unnamed: readonly BundledFile[];
}

export const arrangeNpm = (files: BundledFiles): NpmPackages => arrange(files, 'deps/npm/');
export const arrangeYarn = (files: BundledFiles): NpmPackages => arrange(files, 'deps/yarn/');

/** Empty for a package that the request does not have. */
export async function findNpmVersions(
  { byName, unnamed }: NpmPackages,
  facts: FileFacts,
  name: string,
): Promise<readonly NpmVersion[]> {
  const named = byName.get(name) ?? [];
  const start = `${flat(name)}-`;
  const candidates = unnamed.flatMap((file) => {
    const version = versionOf(file, start);
    return version === null ? [] : [{ version, file }];
  });
  if (candidates.length === 0) return named;
  const known = await facts.of(
    npmTarball,
    candidates.map(({ file }) => file.digest),
  );
  return [...named, ...candidates.filter(({ file }) => known.get(file.digest)!.manifest.name === name)];
}

/** `<short name>-<version>.tgz`; versions of the registry's first years may be written in ways of their own. */
export function findNpmTarball(
  versions: readonly NpmVersion[],
  name: string,
  fileName: string,
): BundledFile | null {
  const start = `${name.slice(name.indexOf('/') + 1)}-`;
  if (!fileName.startsWith(start) || !fileName.endsWith('.tgz')) return null;
  const asked = fileName.slice(start.length, -'.tgz'.length);
  const exact = versions.find(({ version }) => version === asked);
  const found = exact ?? versions.find(({ version }) => isSameVersion(version, asked));
  return found?.file ?? null;
}

interface PackumentForm {
  /** `application/vnd.npm.install-v1+json`: only what an install needs. */
  abbreviated: boolean;
  /** Of this registry, with a slash at its end. */
  registryUrl: string;
}

/** What the registry says about a package: its versions in this request, and nothing else. */
export async function packument(
  name: string,
  versions: readonly NpmVersion[],
  facts: FileFacts,
  { abbreviated, registryUrl }: PackumentForm,
): Promise<object> {
  const known = await facts.of(
    npmTarball,
    versions.map(({ file }) => file.digest),
  );
  const sorted = versions.toSorted((a, b) => compareVersions(a.version, b.version));
  const manifests = sorted.map(({ version, file }) => {
    const dist = distOf(`${registryUrl}${name}/-/`, name, version, known.get(file.digest)!);
    return [version, versionManifest(name, version, known.get(file.digest)!, dist, abbreviated)] as const;
  });
  const latest = sorted.findLast(({ version }) => prerelease(version, true) === null) ?? sorted.at(-1);
  return {
    ...(abbreviated ? {} : { _id: name }),
    name,
    'dist-tags': latest ? { latest: latest.version } : {},
    versions: Object.fromEntries(manifests),
  };
}

// --- where versions are ---------------------------------------------------------------------------------------------

function arrange(files: BundledFiles, root: string): NpmPackages {
  const byName = new Map<string, NpmVersion[]>();
  const unnamed: BundledFile[] = [];
  for (const file of files.values()) {
    if (!file.path.startsWith(root) || !file.path.endsWith('.tgz')) continue;
    const folder = file.path.slice(root.length, file.path.lastIndexOf('/'));
    const place = packageAt(folder, file);
    if (place === null) unnamed.push(file);
    else byName.set(place.name, [...(byName.get(place.name) ?? []), { version: place.version, file }]);
  }
  return { byName, unnamed };
}

/** `@scope/name` or `external-@scope/name`, and a file that is named after it. */
function packageAt(folder: string, file: BundledFile): { name: string; version: string } | null {
  for (const name of [folder, folder.replace(/^external-/, '')]) {
    if (!/^(@[^/]+\/)?[^/]+$/.test(name)) continue;
    const version = versionOf(file, `${flat(name)}-`);
    if (version !== null) return { name, version };
  }
  return null;
}

function versionOf({ path }: BundledFile, start: string): string | null {
  const fileName = path.slice(path.lastIndexOf('/') + 1);
  if (!fileName.startsWith(start)) return null;
  const version = fileName.slice(start.length, -'.tgz'.length);
  return valid(version, true) === null ? null : version;
}

/** As in the names of files: `@scope/name` is `scope-name`. */
function flat(name: string): string {
  return name.replace(/^@/, '').replace('/', '-');
}

function isSameVersion(version: string, asked: string): boolean {
  return valid(asked, true) !== null && eq(version, asked, true);
}

function compareVersions(a: string, b: string): number {
  return compare(a, b, true) || (a < b ? -1 : 1);
}

// --- what is said of a version --------------------------------------------------------------------------------------

/** What the abbreviated form has of a package.json. */
const INSTALL_FIELDS = [
  'dependencies',
  'optionalDependencies',
  'devDependencies',
  'bundleDependencies',
  'bundledDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'acceptDependencies',
  'directories',
  'engines',
  'os',
  'cpu',
  'libc',
  'funding',
] as const;

function versionManifest(
  name: string,
  version: string,
  { manifest, hasShrinkwrap }: NpmTarballFacts,
  dist: object,
  abbreviated: boolean,
): object {
  const fields = abbreviated
    ? Object.fromEntries(
        INSTALL_FIELDS.flatMap((field) =>
          manifest[field] === undefined ? [] : [[field, manifest[field]] as const],
        ),
      )
    : manifest;
  const bin = commands(name, manifest.bin);
  return {
    ...fields,
    ...(bin !== undefined && { bin }),
    name,
    version,
    ...(abbreviated ? {} : { _id: `${name}@${version}` }),
    ...(hasShrinkwrap && { _hasShrinkwrap: true }),
    ...(hasInstallScript(manifest) && { hasInstallScript: true }),
    dist,
  };
}

function distOf(folder: string, name: string, version: string, { sha1, sha512 }: NpmTarballFacts): object {
  const shortName = name.slice(name.indexOf('/') + 1);
  return {
    integrity: `sha512-${sha512}`,
    shasum: sha1,
    tarball: `${folder}${encodeURIComponent(`${shortName}-${version}.tgz`)}`,
  };
}

/** A single command is named after the package. */
function commands(name: string, bin: unknown): unknown {
  return typeof bin === 'string' ? { [name.slice(name.indexOf('/') + 1)]: bin } : bin;
}

function hasInstallScript({ scripts }: Record<string, unknown>): boolean {
  if (typeof scripts !== 'object' || scripts === null) return false;
  return ['preinstall', 'install', 'postinstall'].some((script) => Object.hasOwn(scripts, script));
}
