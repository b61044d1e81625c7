import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { DomainError, InvalidInputError, NotFoundError } from '../errors.ts';
import type { Digest } from '../storage/blob-store.ts';
import { syncPath } from '../storage/sync-files.ts';
import {
  BACKUP_FORMAT,
  BACKUP_NAME,
  type BackupDescription,
  BLOB_LIST,
  backupName,
  CHECKSUMS,
  DESCRIPTION,
} from './backup-format.ts';

/** Everything in a backup but the blobs is for its owner only: there are password hashes and keys in it. */
const SECRET = { mode: 0o600 } as const;

/** Writes the files of one backup, and their checksums last. */
export class BackupWriter {
  readonly directory: string;
  readonly #sums = new Map<string, string>();

  constructor(directory: string) {
    this.directory = directory;
  }

  async writeCompressed(name: string, content: Readable, signal: AbortSignal): Promise<void> {
    const hash = createHash('sha256');
    const hashing = new Transform({
      transform(chunk: Buffer, _, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
    const path = await this.#prepare(name);
    const to = createWriteStream(path, { ...SECRET, flags: 'wx', flush: true });
    await pipeline(content, createGzip({ level: 4 }), hashing, to, { signal });
    this.#sums.set(name, hash.digest('hex'));
  }

  async write(name: string, content: string | Buffer): Promise<void> {
    await writeFile(await this.#prepare(name), content, { ...SECRET, flag: 'wx', flush: true });
    this.#sums.set(name, createHash('sha256').update(content).digest('hex'));
  }

  async finish(): Promise<void> {
    const lines = [...this.#sums].map(([name, sum]) => `${sum}  ${name}\n`);
    const path = await this.#prepare(CHECKSUMS);
    await writeFile(path, lines.join(''), { ...SECRET, flag: 'wx', flush: true });
    await syncPath(this.directory);
  }

  async #prepare(name: string): Promise<string> {
    const path = join(this.directory, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return path;
  }
}

/** The newest complete backup, or the one of that name. Throws NotFoundError. */
export async function findBackup(directory: string, name: string | null): Promise<string> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
      throw new NotFoundError(`There is no directory ${directory}`);
    }
    throw error;
  });
  const complete = names.filter((one) => BACKUP_NAME.test(one)).sort();
  const newest = complete.at(-1);
  if (name !== null) {
    if (complete.includes(name)) return join(directory, name);
    const hint = newest === undefined ? {} : { hint: `The newest one is ${newest}.` };
    throw new NotFoundError(`There is no backup ${name} in ${directory}`, hint);
  }
  if (newest !== undefined) return join(directory, newest);
  const unfinished = names.filter((one) => one.startsWith('.') && BACKUP_NAME.test(one.slice(1)));
  throw new NotFoundError(
    `There is no complete backup in ${directory}`,
    unfinished.length > 0 ? { hint: `${unfinished.join(', ')} has not been finished.` } : {},
  );
}

/** Reads every file of a backup. Throws DomainError `checksum-mismatch` unless all are what they were when it was made. */
export async function verifyBackup(path: string, signal: AbortSignal): Promise<BackupDescription> {
  const sums = await readFile(join(path, CHECKSUMS), 'utf8').catch(() =>
    damaged(path, `${CHECKSUMS} is missing`),
  );
  const named = new Set<string>();
  for (const line of sums.split('\n').filter(Boolean)) {
    const [, sum, name] = /^([0-9a-f]{64}) {2}([\w./-]+)$/.exec(line) ?? [];
    if (name === undefined || name.split('/').includes('..'))
      damaged(path, `${CHECKSUMS} is not what it was`);
    signal.throwIfAborted();
    if ((await sha256Of(path, name!)) !== sum) damaged(path, `${name} is not what it was`);
    named.add(name!);
  }
  if (!named.has(DESCRIPTION)) damaged(path, `${CHECKSUMS} does not name ${DESCRIPTION}`);
  const description = JSON.parse(await readFile(join(path, DESCRIPTION), 'utf8')) as BackupDescription;
  if (description.format !== BACKUP_FORMAT) {
    throw new InvalidInputError(
      `The backup has format ${description.format}; this release reads ${BACKUP_FORMAT}`,
    );
  }
  return description;
}

export function readCompressed(path: string, name: string): Readable {
  const file = createReadStream(join(path, name));
  const content = createGunzip();
  file.on('error', (error) => content.destroy(error));
  return file.pipe(content);
}

/** The blobs that a backup needs. */
export async function* readBlobList(
  path: string,
): AsyncGenerator<{ digest: Digest; size: number; wasDamaged: boolean }> {
  const lines = createInterface({
    input: readCompressed(path, BLOB_LIST),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  for await (const line of lines) {
    const [digest = '', size = '', damage] = line.split('\t');
    yield { digest: digest as Digest, size: Number(size), wasDamaged: damage === 't' };
  }
}

async function sha256Of(path: string, name: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(join(path, name)), hash);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return hash.digest('hex');
}

function damaged(path: string, problem: string): never {
  throw new DomainError('checksum-mismatch', `The backup ${path} is damaged: ${problem}`, {
    hint: 'Nothing was changed. Take another one: --backup NAME.',
  });
}

/** An empty directory whose name begins with a dot: {@link finishDirectory} takes the dot away. */
export async function makeUnfinished(directory: string, at: Date): Promise<{ name: string; path: string }> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const taken = new Set(await readdir(directory));
  const first = backupName(at);
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? first : `${first}-${number}`;
    if (taken.has(name) || taken.has(`.${name}`)) continue;
    const path = join(directory, `.${name}`);
    await mkdir(path, { mode: 0o700 });
    return { name, path };
  }
}

/** From now on it is found. */
export async function finishDirectory(directory: string, name: string): Promise<string> {
  const path = join(directory, name);
  await rename(join(directory, `.${name}`), path);
  await syncPath(directory);
  return path;
}
