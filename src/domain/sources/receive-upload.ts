import { basename } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Settings } from '../config.ts';
import type { Database } from '../database/database.ts';
import { insertUpload, type SourceUpload } from '../database/sql/insert-upload.ts';
import { recordBlobs } from '../database/sql/record-blobs.ts';
import { InvalidInputError } from '../errors.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import type { BlobStore } from '../storage/blob-store.ts';

/**
 * Streams an archive into the blob store; it is unpacked, and checked, by the request that names it. Throws
 * InvalidInputError when it is empty or too large; then nothing is kept. `mostBytes`: of this kind of upload.
 */
export async function receiveUpload(
  { database, blobs, settings }: { database: Database; blobs: BlobStore; settings: Settings },
  principal: Principal,
  file: { name: string; open: () => Readable; mostBytes?: number },
): Promise<SourceUpload> {
  requireScope(principal, 'write');
  const { mostBytes = Number.POSITIVE_INFINITY } = file;
  const limited = new SizeCheck(Math.min(settings.limits.uploadBytes, mostBytes));
  const [blob] = await Promise.all([blobs.write(limited), pipeline(file.open(), limited)]);
  return await database.transaction(async ({ sql }) => {
    await recordBlobs(sql, [blob]);
    return await insertUpload(sql, {
      userId: principal.userId,
      fileName: fileNameOf(file.name),
      digest: blob.digest,
      size: blob.size,
    });
  });
}

/** Fails as soon as more bytes come than may, or when there are none: before the store has a blob. */
class SizeCheck extends Transform {
  readonly #most: number;
  #bytes = 0;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error?: Error, chunk?: Buffer) => void): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#most) {
      done(new InvalidInputError(`The uploaded file has more than ${this.#most} bytes`));
    } else done(undefined, chunk);
  }

  override _flush(done: (error?: Error) => void): void {
    if (this.#bytes === 0) done(new InvalidInputError('The uploaded file is empty'));
    else done();
  }
}

/** For people only: what a client may call a file is cut down to something harmless. */
function fileNameOf(name: string): string {
  const base = basename(name.replaceAll('\\', '/')).replaceAll(/[\0-\x1f\x7f]/g, '');
  return base.slice(0, 200) || 'upload';
}
