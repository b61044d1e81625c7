import type { Digest } from '../../domain/storage/blob-store.ts';

/** Blobs of this process that have no name yet, and how many fetches brought each. */
export class BlobHolds {
  readonly #holders = new Map<Digest, number>();

  /** Returns the function that lets go; it tells whether nobody else holds the blob. */
  hold(digest: Digest): () => boolean {
    this.#holders.set(digest, (this.#holders.get(digest) ?? 0) + 1);
    return () => {
      const left = (this.#holders.get(digest) ?? 1) - 1;
      if (left > 0) this.#holders.set(digest, left);
      else this.#holders.delete(digest);
      return left <= 0;
    };
  }
}
