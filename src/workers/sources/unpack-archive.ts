import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { findSnapshot, insertSnapshot } from '../../domain/database/sql/source-snapshots.ts';
import { InvalidRepoStructure } from '../../domain/errors.ts';
import type { Flag } from '../../domain/packages/package.ts';
import { writeSnapshot } from '../../domain/sources/source-snapshot.ts';
import type { BlobStore, Digest } from '../../domain/storage/blob-store.ts';
import { damagedBlobs } from '../../domain/storage/damaged-blobs.ts';
import { type ArchiveMembers, brokenArchive } from './archive-member.ts';
import { type FetchedSourceTree, shortList } from './fetched-source.ts';
import { readTar } from './read-tar.ts';
import { readZip } from './read-zip.ts';
import { type SourceContext, safeSource } from './safe-source.ts';
import { UnpackLimits } from './unpack-limits.ts';
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
  const { members, close } = await listArchive(archive, context);
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
  const { members, close } = await listArchive(archive, context);
  try {
    const found = members.gitDirectory();
    if (found.size === 0) return false;
    await exportUploadedGitDirectory(found, directory, context);
    return true;
  } finally {
    await close();
  }
}

async function listArchive(
  archive: Digest,
  context: UnpackContext,
): Promise<{ members: ArchiveMembers; close: () => Promise<void> }> {
  const { blobs, settings, signal, temporaryDirectory } = context;
  const size = (await blobs.size(archive)) ?? 0;
  const limits = new UnpackLimits(settings.limits, size);
  const format = formatOf(await firstBytes(blobs, archive, size));
  if (format === null) throw brokenArchive('it is neither zip nor tar nor tar.gz');
  if (format === 'zip') {
    const local = await localFile(blobs, archive, temporaryDirectory);
    const { members, zip } = await readZip(local.path, limits);
    const close = async (): Promise<void> => {
      zip.close();
      await local.remove();
    };
    return { members, close };
  }
  const spool = join(temporaryDirectory, `${archive.slice(-16)}.unpacked`);
  await rm(spool, { force: true });
  try {
    const { members, file } = await readTar(blobs.read(archive), {
      gzip: format === 'tar.gz',
      spool,
      limits,
      signal,
    });
    const close = async (): Promise<void> => {
      await file.close();
      await rm(spool, { force: true });
    };
    return { members, close };
  } catch (error) {
    await rm(spool, { force: true });
    throw error;
  }
}

const TAR_BLOCK = 512;

/** By what the bytes say; names and content types of uploads say anything. */
function formatOf(head: Buffer): 'zip' | 'tar' | 'tar.gz' | null {
  if (head.length >= 4 && /^PK(?:\x03\x04|\x05\x06)/.test(head.toString('latin1', 0, 4))) return 'zip';
  if (head[0] === 0x1f && head[1] === 0x8b) return 'tar.gz';
  if (head.length < TAR_BLOCK) return null;
  return head.toString('latin1', 257, 262) === 'ustar' || hasTarChecksum(head) ? 'tar' : null;
}

/** Archives of before 1988 have no other mark. */
function hasTarChecksum(header: Buffer): boolean {
  const stated = Number.parseInt(header.toString('latin1', 148, 156).replace(/[\0 ]+/g, ''), 8);
  let sum = 8 * 0x20;
  for (const [index, byte] of header.entries()) if (index < 148 || index >= 156) sum += byte;
  return header.some((byte) => byte !== 0) && stated === sum;
}

async function firstBytes(blobs: BlobStore, digest: Digest, size: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const range = { start: 0, end: Math.min(size, TAR_BLOCK) };
  for await (const chunk of blobs.read(digest, range)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A zip's directory is at its end, so it needs a file. */
async function localFile(blobs: BlobStore, digest: Digest, temporaryDirectory: string) {
  const path = blobs.localPath(digest);
  if (path !== null) return { path, remove: async () => undefined };
  const copy = join(temporaryDirectory, `${digest.slice(-16)}.zip`);
  await pipeline(blobs.read(digest), createWriteStream(copy));
  return { path: copy, remove: () => rm(copy, { force: true }) };
}

/** The git directory of the source is no loss for who gets it in another way. */
function leftOutWarning(members: ArchiveMembers, withGitDirectory: boolean): string[] {
  const kept = new Set(withGitDirectory ? members.gitDirectoryPaths() : []);
  const leftOut = members.leftOut.filter((path) => !kept.has(path));
  return leftOut.length === 0 ? [] : [`Left out of the archive: ${shortList(leftOut)}`];
}
