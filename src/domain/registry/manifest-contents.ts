import { DomainError } from '../errors.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';
import { addressOf } from './reference.ts';

/** The bytes of manifests, by digest: they never change, so those that are asked for stay in memory. */
export class ManifestContents {
  readonly #blobs: BlobStore;
  /** The first is the one that was not asked for the longest. */
  readonly #kept = new Map<Digest, Buffer>();
  #keptBytes = 0;

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /** What is in memory already; null: {@link read} it. */
  kept(digest: Digest): Buffer | null {
    const content = this.#kept.get(digest);
    if (!content) return null;
    this.#kept.delete(digest);
    this.#kept.set(digest, content);
    return content;
  }

  async read(digest: Digest): Promise<Buffer> {
    const kept = this.kept(digest);
    if (kept) return kept;
    const content = await this.#blobs.readWhole(digest);
    if (addressOf(content, 'sha256') !== digest) {
      throw new DomainError('damaged', `The manifest ${digest} is damaged`, {
        hint: 'stowage fsck says more.',
      });
    }
    this.keep(digest, content);
    return content;
  }

  keep(digest: Digest, content: Buffer): void {
    if (content.length > LARGEST_KEPT || this.#kept.has(digest)) return;
    this.#kept.set(digest, content);
    this.#keptBytes += content.length;
    for (const [oldest, bytes] of this.#kept) {
      if (this.#keptBytes <= MOST_BYTES) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= bytes.length;
    }
  }
}

const LARGEST_KEPT = 1024 * 1024;
const MOST_BYTES = 32 * 1024 * 1024;
