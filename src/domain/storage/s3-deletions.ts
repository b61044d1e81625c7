import { setTimeout as sleep } from 'node:timers/promises';
import type { Digest } from './blob-store.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { keyOf, markOf } from './s3-keys.ts';

/**
 * Deleting what nobody has written of late, on a server that can only delete whatever is there. Between the deleter's look
 * at an object and its end somebody may write it again, and must not lose it:
 *
 *   deleter: mark – look how old it is – delete – remove the mark
 *   writer over something that was there: write – wait until there is no mark – look whether it is still there, else again
 *
 * Either the deleter sees the young object, or the writer sees the mark or its work. One deleter at a time has the mark; who
 * writes where nothing was needs none of this, because only one of them deletes, and a single time.
 */
export class S3Deletions {
  readonly #bucket: S3Bucket;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  async removeIfWrittenBefore(digest: Digest, before: Date): Promise<void> {
    const mark = markOf(digest);
    // Whoever has it deletes; and what is spared now is found again.
    if (!(await this.#bucket.put(mark, new Uint8Array(), { ifAbsent: true }))) return;
    const object = await this.#bucket.head(keyOf(digest));
    // The server tells whole seconds.
    const isOld = object !== null && object.writtenAt.getTime() + 1_000 <= before.getTime();
    // Where it is not known whether this happens yet, the mark stays until it must have happened.
    if (isOld) await this.#bucket.removeOnce(keyOf(digest));
    await this.#bucket.remove(mark);
  }

  /** Of an object that was just written over: false when it was deleted meanwhile. */
  async survives(digest: Digest, signal?: AbortSignal): Promise<boolean> {
    const mark = markOf(digest);
    for (const deadline = Date.now() + LONGEST_DELETION_MS; (await this.#bucket.head(mark)) !== null; ) {
      if (Date.now() > deadline) {
        // Its owner is dead.
        await this.#bucket.remove(mark);
        break;
      }
      await sleep(RETRY_MS, undefined, signal ? { signal } : {});
    }
    return (await this.#bucket.head(keyOf(digest))) !== null;
  }
}

/** Longer than one call of the client can take. */
const LONGEST_DELETION_MS = 70_000;
const RETRY_MS = 100;
