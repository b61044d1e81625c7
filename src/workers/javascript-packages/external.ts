import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { Readable } from 'node:stream';
import {
  FileAccessError,
  InvalidRequestData,
  NetworkError,
  RepositoryAccessError,
  UnsupportedFeature,
} from '../../domain/errors.ts';
import type { SourceTree } from '../../domain/sources/source-tree.ts';
import type { Artifact } from '../downloads/artifact-store.ts';
import type { ResolveContext } from '../ecosystems/ecosystem.ts';
import type { ExternalDependency } from './dependency.ts';
import { isCleanText, isObject, type JsonObject, parseJsonObject } from './json-object.ts';
import { externalSuffix, tarballName } from './layout.ts';
import { isVersion } from './package-name.ts';
import { packedNames } from './packed-names.ts';
import { type PackedFile, writePackageTarball } from './tarball.ts';
import { unpackTarball } from './unpack.ts';

/** A dependency that is not in a registry, packed again under a version of its own (prefetch.md 3.1). */
export interface Repacked {
  /** The tarball for the bundle. */
  artifact: Artifact;
  /** What was downloaded; null for git. */
  download: Artifact | null;
  /** As its package.json says. */
  version: string;
  /** With the suffix: what the rewritten files ask for. */
  newVersion: string;
  license: string | null;
  /** The git tree that was packed. */
  treeId: string | null;
}

type Metadata = Pick<Repacked, 'version' | 'license' | 'treeId'>;

/** Changes when the bytes that come out change. */
const PACKING = 'npm-repacked-1';
const MAX_MANIFEST = 16 * 1024 * 1024;
/** npm would run these before it packs a git dependency. */
const PACKING_SCRIPTS = ['prepare', 'prepack'];

/** Fetches and repacks; once per source for ever, see {@link ArtifactStore.derive}. */
export async function repack(
  context: ResolveContext,
  dependency: ExternalDependency,
  signal: AbortSignal,
): Promise<Repacked> {
  const described = `${dependency.entry.name}@${dependency.version}`;
  const suffix = externalSuffix(dependency);
  const download = dependency.kind === 'http' ? await fetchTarball(context, dependency, described) : null;
  const artifact = await context.artifacts.derive({
    key: `${PACKING}:${dependency.url}#${suffix}`,
    url: dependency.url,
    record: ['sha1', 'sha512'],
    produce: async () => {
      const packing = { context, suffix, described, signal };
      return download
        ? repackTarball(packing, download)
        : repackTree(packing, await fetchTree(context, dependency as GitDependency, described));
    },
  });
  const metadata = artifact.metadata as Metadata;
  return { artifact, download, ...metadata, newVersion: `${metadata.version}${suffix}` };
}

type GitDependency = Extract<ExternalDependency, { kind: 'git' }>;

interface Packing {
  context: ResolveContext;
  suffix: string;
  described: string;
  signal: AbortSignal;
}

async function fetchTarball(
  context: ResolveContext,
  { url, expected, entry }: ExternalDependency,
  described: string,
): Promise<Artifact> {
  const fileName = posix.basename(new URL(url).pathname) || tarballName(entry.name, 'external');
  try {
    return await context.artifacts.fetch({
      key: `url:${url}#${expected.map(({ algorithm, hex }) => `${algorithm}-${hex}`).join('+')}`,
      url,
      expected,
      fileName,
      record: expected.map(({ algorithm }) => algorithm),
    });
  } catch (cause) {
    if (!(cause instanceof NetworkError)) throw cause;
    context.log.warn(cause.message);
    const hint = cause.hint ?? cause.message;
    throw new NetworkError(cause.code, `Failed to download the npm dependency ${described}`, { hint, cause });
  }
}

async function fetchTree(
  context: ResolveContext,
  { url, commit }: GitDependency,
  described: string,
): Promise<SourceTree> {
  try {
    return await context.git.tree(url, commit, { submodules: 'recursive', httpsFirst: true });
  } catch (cause) {
    if (!(cause instanceof RepositoryAccessError || cause instanceof InvalidRequestData)) throw cause;
    context.log.warn(cause.message);
    const hint = cause instanceof InvalidRequestData ? 'The repository has no such commit.' : cause.hint;
    const told = hint === null ? {} : { hint };
    throw new RepositoryAccessError(cause.code, `Failed to clone ${described}`, { ...told, cause });
  }
}

/** A git tree becomes what `npm pack --ignore-scripts` makes of it. */
async function repackTree(packing: Packing, tree: SourceTree) {
  const manifestEntry = tree.entries.get('package.json');
  if (manifestEntry && manifestEntry.digest === undefined) throw notRegular(packing);
  if (!manifestEntry) throw unusable(packing, 'no package.json file');
  const manifest = readManifest(packing, await tree.read('package.json', MAX_MANIFEST));
  refusePackingScripts(packing, manifest);
  const paths = await filesToPack(packing, tree, manifest);
  const files = paths.map((path): PackedFile => {
    const entry = tree.entries.get(path)!;
    return { path, executable: entry.mode === '100755', size: entry.size, open: () => tree.open(path) };
  });
  return packed(packing, files, manifest, tree.treeId);
}

/** A published tarball keeps all its files: they were chosen when it was packed first. */
async function repackTarball(packing: Packing, download: Artifact) {
  const { context, signal } = packing;
  const directory = await mkdtemp(join(context.temporaryDirectory, 'npm-tarball-'));
  try {
    const unpacked = await unpackTarball(context.blobs, download, directory, {
      limits: context.settings.limits,
      described: packing.described,
      signal,
    });
    const manifestFile = unpacked.find((file) => file.path === 'package.json');
    if (!manifestFile) throw unusable(packing, 'no package.json file');
    if (manifestFile.size > MAX_MANIFEST) throw unusable(packing, 'package.json is too large');
    const manifest = readManifest(packing, await readAll(manifestFile.open()));
    const { content, metadata } = packed(packing, unpacked, manifest, null);
    return { content: andThenRemove(content, directory), metadata };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function* andThenRemove(content: AsyncIterable<Uint8Array>, directory: string) {
  try {
    yield* content;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function packed(packing: Packing, files: readonly PackedFile[], manifest: JsonObject, treeId: string | null) {
  const version = manifest.version;
  if (typeof version !== 'string' || !isVersion(version)) {
    throw unusable(packing, 'package.json has no valid version');
  }
  const { license } = manifest;
  const rewritten = Buffer.from(
    `${JSON.stringify({ ...manifest, version: `${version}${packing.suffix}` }, null, 2)}\n`,
  );
  const metadata: Metadata = {
    version,
    license: isCleanText(license) && license !== '' ? license : null,
    treeId,
  };
  const changed = files.map((file) =>
    file.path === 'package.json'
      ? { ...file, size: rewritten.length, open: () => Readable.from([rewritten]) }
      : file,
  );
  return { content: writePackageTarball(changed), metadata };
}

function readManifest(packing: Packing, content: Buffer): JsonObject {
  try {
    return parseJsonObject('package.json', content);
  } catch (cause) {
    packing.context.log.debug((cause as Error).message);
    throw unusable(packing, 'package.json is not valid JSON');
  }
}

function refusePackingScripts(packing: Packing, manifest: JsonObject): void {
  const { scripts } = manifest;
  if (!isObject(scripts) || !PACKING_SCRIPTS.some((name) => Object.hasOwn(scripts, name))) return;
  throw new UnsupportedFeature(
    'unsupported-feature',
    `The dependency ${packing.described} is not supported because Cachito cannot execute ` +
      'the following required scripts of Git dependencies: prepack, prepare',
  );
}

/**
 * npm's own choice of files. It reads names, and the content of ignore files only: so it is shown a tree of empty
 * files without links, and nothing of the dependency's content is written to disk.
 */
async function filesToPack(packing: Packing, tree: SourceTree, manifest: JsonObject): Promise<string[]> {
  const directory = await mkdtemp(join(packing.context.temporaryDirectory, 'npm-pack-'));
  try {
    await layOutNames(packing, tree, directory);
    const chosen = await packedNames(directory, packingFields(manifest), packing.signal).catch(
      (error: Error) => {
        packing.signal.throwIfAborted();
        throw unusable(packing, `its rules for the files to pack cannot be applied: ${error.message}`);
      },
    );
    return chosen.filter((path) => tree.entries.get(path)?.digest !== undefined);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function layOutNames(packing: Packing, tree: SourceTree, directory: string): Promise<void> {
  const folders = new Set<string>();
  for (const entry of tree.entries.values()) {
    packing.signal.throwIfAborted();
    if (entry.digest === undefined) continue;
    const file = join(directory, entry.path);
    const isIgnoreFile = /(?:^|\/)\.(?:npm|git)ignore$/.test(entry.path);
    const content = isIgnoreFile ? await tree.read(entry.path, MAX_MANIFEST) : '';
    try {
      const folder = dirname(file);
      if (!folders.has(folder)) await mkdir(folder, { recursive: true });
      folders.add(folder);
      await writeFile(file, content);
    } catch (cause) {
      // Git allows longer names than file systems do.
      throw unusable(
        packing,
        `${entry.path.slice(0, 100)} cannot be written: ${(cause as { code?: string }).code}`,
      );
    }
  }
}

/** The fields that npm-packlist looks at, in the types that it expects. */
function packingFields({ files, bin, main, browser, name }: JsonObject): JsonObject {
  const bins = typeof bin === 'string' ? [bin] : isObject(bin) ? Object.values(bin) : [];
  return {
    name,
    ...(Array.isArray(files) ? { files: files.filter((file) => typeof file === 'string') } : {}),
    ...(typeof main === 'string' ? { main } : {}),
    ...(typeof browser === 'string' ? { browser } : {}),
    bin: Object.fromEntries(
      bins
        .filter((path) => typeof path === 'string')
        .map((path, index) => [index, posix.join('/', path).slice(1)]),
    ),
  };
}

function unusable({ described }: Packing, problem: string): FileAccessError {
  return new FileAccessError('package-rejected', `Could not process dependency ${described}: ${problem}`);
}

function notRegular(packing: Packing): FileAccessError {
  return unusable(packing, 'package.json is not a regular file');
}

async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
