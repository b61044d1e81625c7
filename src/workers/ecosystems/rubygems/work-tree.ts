import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import pLimit from 'p-limit';
import type { BundleFile, BundleLink } from '../../../domain/bundles/bundle-file.ts';
import { RequestFailure, ValidationError } from '../../../domain/errors.ts';
import { blobIdHash } from '../../../domain/sources/git-tree-id.ts';
import { withoutCredentials } from '../../../domain/sources/public-url.ts';
import { isGitDirectoryName } from '../../../domain/sources/source-path.ts';
import type { SourceEntry, SourceTree } from '../../../domain/sources/source-tree.ts';
import type { StoredBlob } from '../../../domain/storage/blob-store.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import { gitConfigText } from '../../git/git-directory.ts';
import type { ResolveContext } from '../ecosystem.ts';
import type { GitDependency } from './classify.ts';
import { gitIndex, type IndexEntry } from './git-index.ts';
import { workTreePath } from './layout.ts';

/** A git dependency as it lies in the bundle: files, links, and a `.git` that Bundler accepts (prefetch.md 7.1). */
export interface WorkTree {
  /** Relative to the bundle root. */
  path: string;
  files: BundleFile[];
  links: BundleLink[];
  /** What was fetched: the commit with its files. */
  pack: Artifact;
  packPath: string;
}

type Context = Pick<ResolveContext, 'artifacts' | 'blobs' | 'git' | 'log' | 'signal' | 'temporaryDirectory'>;

/** Change when the bytes that come out change. */
const PACKING = 'rubygems-git-1';
const INDEXING = 'rubygems-git-index-1';
const SMALL_FILE = 1024 * 1024;
const FILES_AT_A_TIME = 16;

/**
 * What `git clone --depth=1` would make of the commit, without hooks, reflogs, times, and credentials. Gemspecs ask
 * `git ls-files` what belongs to a gem, and Bundler asks for branch and revision.
 *
 * @param gems all that lie in this commit of this repository
 */
export async function fetchWorkTree(
  context: Context,
  gems: readonly [GitDependency, ...GitDependency[]],
): Promise<WorkTree> {
  const { git } = context;
  const [{ url, commit }] = gems;
  const path = workTreePath(url, commit);
  const submodules = gems.some((gem) => gem.submodules) ? 'recursive' : 'none';
  const tree = await git.tree(url, commit, { submodules });
  refuseGitDirectories(tree);
  const pack = await commitPack(context, gems[0]);
  const stored = await storeFiles(context, tree);
  const files = [...stored.entries()].map(
    ([entry, blob]): BundleFile => ({
      path: `${path}/${entry.path}`,
      mode: entry.mode === '100755' ? 0o755 : 0o644,
      digest: blob.digest,
      size: blob.size,
      crc32: blob.crc32,
    }),
  );
  return {
    path,
    files: [...files, ...(await gitDirectory(context, gems, pack, tree, stored, `${path}/.git`))],
    links: linksOf(context, tree, path),
    pack,
    packPath: `${path}/.git/${packName(commit)}.pack`,
  };
}

/** A file of the repository must not become configuration or a hook of ours. */
function refuseGitDirectories(tree: SourceTree): void {
  for (const path of tree.entries.keys()) {
    if (!path.split('/').some(isGitDirectoryName)) continue;
    throw new ValidationError('package-rejected', `The path ${path} would lie in the git directory`);
  }
}

interface StoredFile extends StoredBlob {
  objectId: string;
}

/** One blob for each file, with its id in git's own terms. */
async function storeFiles(
  { blobs, signal }: Context,
  tree: SourceTree,
): Promise<Map<SourceEntry, StoredFile>> {
  const files = [...tree.entries.values()].filter(({ digest }) => digest !== undefined);
  const limit = pLimit(FILES_AT_A_TIME);
  const stored = await Promise.all(
    files.map((entry) =>
      limit(async () => {
        signal.throwIfAborted();
        const hash = blobIdHash(entry.size);
        const content = async function* () {
          const source = entry.size <= SMALL_FILE ? [await tree.read(entry.path)] : tree.open(entry.path);
          for await (const chunk of source) {
            hash.update(chunk as Uint8Array);
            yield chunk as Uint8Array;
          }
        };
        const { digest, size, crc32 } = await blobs.write(content(), { durability: 'batch', signal });
        return [entry, { digest, size, crc32, objectId: hash.digest('hex') }] as const;
      }),
    ),
  );
  return new Map(stored);
}

/** A link that leaves the dependency would lead to other files of the machine that unpacks it. */
function linksOf({ log }: Context, tree: SourceTree, path: string): BundleLink[] {
  return [...tree.entries.values()].flatMap((entry): BundleLink[] => {
    if (entry.target === undefined) return [];
    try {
      tree.lookup(entry.path);
    } catch (error) {
      if (!(error instanceof RequestFailure)) throw error;
      log.warn(`rubygems: the link ${entry.path} is left out: ${error.message}`);
      return [];
    }
    return [{ path: `${path}/${entry.path}`, target: entry.target }];
  });
}

/** Commit, trees and blobs in one pack, made once for ever. */
async function commitPack(context: Context, { url, commit }: GitDependency): Promise<Artifact> {
  return await context.artifacts.derive({
    key: `${PACKING}:${identityOf(url)}@${commit}`,
    url: withoutCredentials(url),
    produce: async () => {
      const directory = await mkdtemp(join(context.temporaryDirectory, 'git-pack-'));
      const file = join(directory, 'commit.pack');
      await context.git.packCommit(url, commit, file);
      return { content: andThenRemove(file, directory) };
    },
  });
}

/** What one password opened is not another's; the password itself is written down nowhere. */
function identityOf(url: string): string {
  const plain = withoutCredentials(url);
  return plain === url ? url : `${plain}#${createHash('sha256').update(url).digest('hex').slice(0, 16)}`;
}

/** Git finds nothing in a pack without its index. */
async function packIndex(context: Context, pack: Artifact): Promise<Artifact> {
  return await context.artifacts.derive({
    key: `${INDEXING}:${pack.digests.sha256}`,
    url: pack.url,
    produce: async () => {
      const directory = await mkdtemp(join(context.temporaryDirectory, 'git-pack-'));
      const file = join(directory, 'commit.pack');
      await writeFile(file, context.blobs.read(pack.digest), { signal: context.signal });
      await context.git.indexPack(file, join(directory, 'commit.idx'));
      return { content: andThenRemove(join(directory, 'commit.idx'), directory) };
    },
  });
}

async function* andThenRemove(file: string, directory: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file) as AsyncIterable<Uint8Array>;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** gitrepository-layout, with nothing in it that is not needed. */
async function gitDirectory(
  context: Context,
  gems: readonly [GitDependency, ...GitDependency[]],
  pack: Artifact,
  tree: SourceTree,
  stored: ReadonlyMap<SourceEntry, StoredFile>,
  directory: string,
): Promise<BundleFile[]> {
  const [{ url, commit }] = gems;
  const index = await packIndex(context, pack);
  const file = (name: string, { digest, size, crc32 }: StoredBlob): BundleFile => ({
    path: posix.join(directory, name),
    mode: 0o644,
    digest,
    size,
    crc32,
  });
  const text = async (name: string, content: string | Buffer): Promise<BundleFile> =>
    file(name, await context.blobs.write(Buffer.from(content as string), { durability: 'batch' }));
  const branch = gems.find((gem) => gem.branch !== null)?.branch;
  return [
    await text('HEAD', branch ? `ref: refs/heads/${branch}\n` : `${commit}\n`),
    ...(await Promise.all(refsOf(gems).map((ref) => text(ref, `${commit}\n`)))),
    await text('shallow', `${commit}\n`),
    await text('config', gitConfigText('sha1', withoutCredentials(url))),
    await text('index', gitIndex(indexEntries(tree, stored))),
    file(`${packName(commit)}.pack`, pack),
    file(`${packName(commit)}.idx`, index),
  ];
}

/** Every name by which Bundler may look for the commit, and one in any case: git takes no directory without `refs`. */
function refsOf(gems: readonly GitDependency[]): string[] {
  const refs = gems.flatMap(({ commit, branch, tag, ref }) => [
    ...(branch === null ? [] : [`refs/heads/${branch}`]),
    ...(tag === null ? [] : [`refs/tags/${tag}`]),
    ...(ref === null || ref === 'HEAD' || commit.startsWith(ref.toLowerCase())
      ? []
      : [ref.startsWith('refs/') ? ref : `refs/tags/${ref}`]),
  ]);
  return [...new Set(refs.length > 0 ? refs : ['refs/stowage/commit'])];
}

function packName(commit: string): string {
  return `objects/pack/pack-${commit}`;
}

/** What lies below a submodule is not listed by its parent. */
function indexEntries(tree: SourceTree, stored: ReadonlyMap<SourceEntry, StoredFile>): IndexEntry[] {
  let submodule: string | null = null;
  const listed: IndexEntry[] = [];
  for (const entry of tree.entries.values()) {
    const { path, mode, size, commit, target } = entry;
    if (submodule !== null && path.startsWith(`${submodule}/`)) continue;
    if (mode === '160000') {
      submodule = path;
      listed.push({ path, mode, size: 0, objectId: commit! });
    } else if (target === undefined) {
      listed.push({ path, mode, size, objectId: stored.get(entry)!.objectId });
    } else {
      listed.push({ path, mode, size, objectId: blobIdHash(size).update(target).digest('hex') });
    }
  }
  return listed;
}
