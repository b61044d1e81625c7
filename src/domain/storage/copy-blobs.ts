import { InvalidChecksum, NotFoundError } from '../errors.ts';
import type { BlobStore, Digest } from './blob-store.ts';

export interface CopiedBlobs {
  copied: number;
  bytes: number;
  /** They were there already, with the right size. */
  present: number;
  /** Their bytes are not those of their digest: they are not copied. */
  damaged: Digest[];
}

interface CopyOptions {
  signal?: AbortSignal;
  onProgress?: (soFar: CopiedBlobs) => void;
  /** Those that are wanted (default: all). */
  listed?: AsyncIterable<{ digest: Digest; size: number }>;
  onMissing?: (digest: Digest) => void;
}

/**
 * Copies what another store does not have yet, every byte hashed on the way. It can be broken off and run again, beside
 * others who write and delete; what it has copied is durable when it resolves. Blobs that somebody deletes meanwhile are
 * passed over.
 */
export async function copyBlobs(
  from: BlobStore,
  to: BlobStore,
  { signal, onProgress, listed = from.list(), onMissing }: CopyOptions = {},
): Promise<CopiedBlobs> {
  const result: CopiedBlobs = { copied: 0, bytes: 0, present: 0, damaged: [] };
  const failing = new AbortController();
  const all = signal ? AbortSignal.any([signal, failing.signal]) : failing.signal;
  const items = listed[Symbol.asyncIterator]();
  let waiting: Digest[] = [];
  const copyOne = async (digest: Digest, size: number): Promise<void> => {
    if ((await to.size(digest)) === size) result.present += 1;
    else {
      // On S3 this is nothing; for many small files it is much less than one wait each.
      const options = { expectedDigest: digest, durability: 'batch', signal: all } as const;
      await to.write(reading(from, digest), options);
      result.copied += 1;
      result.bytes += size;
      waiting.push(digest);
    }
    onProgress?.(result);
    if (waiting.length < SYNCED_AT_ONCE) return;
    const batch = waiting;
    waiting = [];
    await to.sync(batch);
  };
  const work = async (): Promise<void> => {
    for (;;) {
      all.throwIfAborted();
      const { value, done } = await items.next();
      if (done) return;
      try {
        await copyOne(value.digest, value.size);
      } catch (error) {
        if (error instanceof InvalidChecksum) result.damaged.push(value.digest);
        else if (error instanceof NotFoundError) onMissing?.(value.digest);
        else throw error;
      }
    }
  };
  const worked = Array.from({ length: AT_ONCE }, () =>
    work().catch((error: unknown) => {
      failing.abort(error);
      throw error;
    }),
  );
  const outcomes = await Promise.allSettled(worked);
  signal?.throwIfAborted();
  if (failing.signal.aborted) throw failing.signal.reason;
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  await to.sync(waiting);
  return result;
}

const AT_ONCE = 8;
const SYNCED_AT_ONCE = 500;

/** Opened when somebody reads: a stream that fails before anybody listens ends the process. */
async function* reading(from: BlobStore, digest: Digest): AsyncGenerator<Uint8Array> {
  yield* from.read(digest);
}
