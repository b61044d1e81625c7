import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { auditedCommand } from '../audit/audit-log.ts';
import type { Settings } from '../config.ts';
import { ConflictError, DomainError, NotFoundError } from '../errors.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';
import { type CopiedBlobs, copyBlobs } from '../storage/copy-blobs.ts';
import { FileBlobStore } from '../storage/file-blob-store.ts';
import { findBackup, readBlobList, verifyBackup } from './backup-files.ts';
import { type BackupDescription, BLOBS, KEYS, type LostBlob } from './backup-format.ts';
import {
  type LoadOptions,
  loadDatabase,
  requireEmptyDatabase,
  requireKnownMigrations,
} from './load-database.ts';

export interface Backup {
  path: string;
  description: BackupDescription;
}

/** The newest backup, or the one of that name, whose files are what they were. */
export async function openBackup(
  directory: string,
  name: string | null,
  signal: AbortSignal,
): Promise<Backup> {
  const path = await findBackup(directory, name);
  const description = await verifyBackup(path, signal);
  await requireKnownMigrations(description);
  return { path, description };
}

/** Reads every blob that a backup needs. Throws DomainError `checksum-mismatch`. */
export async function checkBlobs(
  { path, description }: Backup,
  { signal, onBlob }: { signal: AbortSignal; onBlob?: (size: number) => void },
): Promise<void> {
  const blobs = new FileBlobStore(join(dirname(path), BLOBS));
  const problems: LostBlob[] = [];
  for await (const { digest, size } of readBlobList(path)) {
    const hash = createHash('sha256');
    const problem: LostBlob['problem'] | null = await pipeline(blobs.read(digest), hash, { signal }).then(
      () => (`sha256:${hash.digest('hex')}` === digest ? null : 'damaged'),
      (error: unknown) => {
        if (error instanceof NotFoundError) return 'missing';
        throw error;
      },
    );
    if (problem !== null) problems.push({ digest, problem });
    onBlob?.(size);
  }
  requireWhole(path, description, problems);
}

export interface RestoreOptions
  extends Pick<LoadOptions, 'url' | 'prepareQueue' | 'signal' | 'onStep' | 'onTable'> {
  backup: Backup;
  blobs: BlobStore;
  settings: Pick<Settings, 'dataDir'>;
  /** The store may have others: the garbage collection removes what nothing names. */
  keepOtherBlobs: boolean;
  onBlobs?: (soFar: CopiedBlobs) => void;
}

/**
 * Bytes first, each verified, then keys, and then the rows that name them in one transaction: at no moment is there a
 * database that names what is not there. What was broken off is done again, and does only what is left.
 */
export async function restore(options: RestoreOptions): Promise<CopiedBlobs> {
  const { backup, blobs, settings, signal, onBlobs } = options;
  await requireEmptyDatabase(options.url);
  if (!options.keepOtherBlobs) await requireNoOtherBlobs(blobs, backup);
  const keys = await readKeys(backup, settings.dataDir);
  const problems: LostBlob[] = [];
  const copied = await copyBlobs(new FileBlobStore(join(dirname(backup.path), BLOBS)), blobs, {
    signal,
    listed: readBlobList(backup.path),
    onMissing: (digest) => problems.push({ digest, problem: 'missing' }),
    ...(onBlobs && { onProgress: onBlobs }),
  });
  for (const digest of copied.damaged) problems.push({ digest, problem: 'damaged' });
  requireWhole(backup.path, backup.description, problems);
  await writeKeys(keys);
  const { madeAt, version } = backup.description;
  await loadDatabase({
    ...options,
    ...backup,
    finish: async (sql) => {
      const details = { backup: backup.path, madeAt, version };
      await auditedCommand({ sql }, { action: 'restore', details }, async () => undefined);
    },
  });
  return copied;
}

const MOST_NAMED = 5;

/** But for those that the store had lost before. */
function requireWhole(path: string, { blobs }: BackupDescription, problems: readonly LostBlob[]): void {
  const lost = new Set(blobs.lost.map(({ digest }) => digest));
  const unexpected = problems.filter(({ digest }) => !lost.has(digest));
  if (unexpected.length === 0) return;
  const named = unexpected.slice(0, MOST_NAMED).map(({ digest, problem }) => `${problem} ${digest}`);
  const more = unexpected.length > MOST_NAMED ? `, and ${unexpected.length - MOST_NAMED} more` : '';
  throw new DomainError('checksum-mismatch', `The backup ${path} is damaged: ${named.join(', ')}${more}`, {
    hint: `The database was not touched. Bring these files back into ${BLOBS}/, or restore another backup.`,
  });
}

async function requireNoOtherBlobs(blobs: BlobStore, { path }: Backup): Promise<void> {
  let own: Set<Digest> | null = null;
  let others = 0;
  for await (const { digest } of blobs.list()) {
    own ??= await digestsOf(path);
    if (!own.has(digest)) others += 1;
  }
  if (others === 0) return;
  throw new ConflictError(`The blob store has ${others} blobs that are not of this backup`, {
    hint: 'Restore into an empty one (STOWAGE_BLOB_STORE). --keep-other-blobs: the garbage collection removes them later.',
  });
}

async function digestsOf(path: string): Promise<Set<Digest>> {
  const digests = new Set<Digest>();
  for await (const { digest } of readBlobList(path)) digests.add(digest);
  return digests;
}

interface Key {
  path: string;
  content: Buffer;
}

const KEY_NAME = /^(retired\/)?[\w.-]+\.pem$/;

/** Those that are not there yet. Throws ConflictError where there is another one. */
async function readKeys({ path, description }: Backup, dataDir: string): Promise<Key[]> {
  const keys: Key[] = [];
  for (const name of description.keys) {
    if (!KEY_NAME.test(name)) throw new DomainError('checksum-mismatch', `The backup has a key "${name}"`);
    const key = { path: join(dataDir, 'keys', name), content: await readFile(join(path, KEYS, name)) };
    const present = await readFile(key.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (present === null) keys.push(key);
    else if (!present.equals(key.content)) {
      throw new ConflictError(`There is another key already: ${key.path}`, {
        hint: 'Move it away, or restore with another STOWAGE_DATA_DIR.',
      });
    }
  }
  return keys;
}

async function writeKeys(keys: readonly Key[]): Promise<void> {
  for (const { path, content } of keys) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, content, { mode: 0o600, flag: 'wx', flush: true });
  }
}
