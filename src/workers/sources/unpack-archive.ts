import { findSnapshot, insertSnapshot } from '../../domain/database/sql/source-snapshots.ts';
import { InvalidRepoStructure } from '../../domain/errors.ts';
import type { Flag } from '../../domain/packages/package.ts';
import type { ArchiveMembers } from '../../domain/sources/archives/archive-members.ts';
import { listArchive } from '../../domain/sources/archives/list-archive.ts';
import { writeSnapshot } from '../../domain/sources/source-snapshot.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import { damagedBlobs } from '../../domain/storage/damaged-blobs.ts';
import { type FetchedSourceTree, shortList } from './fetched-source.ts';
import { type SourceContext, safeSource } from './safe-source.ts';
import { exportUploadedGitDirectory } from './uploaded-git-directory.ts';

export interface ArchiveSource {
  /** The uploaded blob: zip, tar or tar.gz, whatever its name was. */
  archive: Digest;
  flags: readonly Flag[];
}

type UnpackContext = SourceContext & { signal: AbortSignal; temporaryDirectory: string };

/** Under this origin the snapshots of archives are kept, with the archive's digest as their commit. */
const ORIGIN = 'archive';

/** The tree of an uploaded archive. Nothing is written but the snapshot's blobs and one temporary file. */
export async function unpackArchive(
  { archive, flags }: ArchiveSource,
  context: UnpackContext,
): Promise<FetchedSourceTree> {
  const { sql, blobs } = context;
  const commit = archive.replace(/^sha256:/, '');
  const known = await findSnapshot(sql, ORIGIN, commit, 'none');
  const damaged = known ? await damagedBlobs(blobs, [known.index, known.pack], context.signal) : [];
  if (known && damaged.length === 0) {
    const raw = { snapshot: known.index, origin: ORIGIN, commit, submodules: 'none', flags } as const;
    return safeSource({ ...raw, warnings: [] }, context);
  }
  const { members, close } = await listArchive(listing(archive, context));
  try {
    const entries = members.entries();
    if (entries.length === 0) throw new InvalidRepoStructure('unexpected-format', 'The archive has no files');
    for (const digest of damaged) await blobs.delete(digest);
    const info = { commit: null, treeId: null, time: members.time };
    const written = await writeSnapshot(blobs, info, entries, context.settings.limits, context.signal);
    const { treeId, snapshot, pack, size, files } = written;
    const row = { origin: ORIGIN, commit, submodules: 'none' as const, treeId, time: info.time };
    await insertSnapshot(sql, { ...row, index: snapshot, pack, size, files }, written.blobs);
    const warnings = leftOutWarning(members, flags.includes('include-git-dir'));
    const raw = { snapshot, origin: ORIGIN, commit, submodules: 'none', flags } as const;
    return await safeSource({ ...raw, warnings }, context);
  } finally {
    await close();
  }
}

/**
 * The git directory of the archive, made anew in an existing empty directory; false when there is none. Throws
 * InvalidFileFormat when it cannot be used.
 */
export async function unpackGitDirectory(
  archive: Digest,
  directory: string,
  context: UnpackContext,
): Promise<boolean> {
  const { members, close } = await listArchive(listing(archive, context));
  try {
    const found = members.gitDirectory();
    if (found.size === 0) return false;
    await exportUploadedGitDirectory(found, directory, context);
    return true;
  } finally {
    await close();
  }
}

function listing(archive: Digest, { blobs, settings, signal, temporaryDirectory }: UnpackContext) {
  return { blobs, digest: archive, limits: settings.limits, signal, temporaryDirectory };
}

/** The git directory of the source is no loss for who gets it in another way. */
function leftOutWarning(members: ArchiveMembers, withGitDirectory: boolean): string[] {
  const kept = new Set(withGitDirectory ? members.gitDirectoryPaths() : []);
  const leftOut = members.leftOut.filter((path) => !kept.has(path));
  return leftOut.length === 0 ? [] : [`Left out of the archive: ${shortList(leftOut)}`];
}
