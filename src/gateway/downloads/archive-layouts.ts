import type { ArchiveLayout } from '../../domain/bundles/archive-layout.ts';
import { openArchive } from '../../domain/bundles/open-archive.ts';
import type { Database } from '../../domain/database/database.ts';
import type { BundleRow } from '../../domain/database/sql/find-bundle.ts';
import type { BlobStore, Digest } from '../../domain/storage/blob-store.ts';

/** Entries of all layouts that are kept; one entry takes about 2 KiB. */
const MOST_ENTRIES = 20_000;

/** Layouts of the archives that were asked for last: a client that reads by ranges asks for one again and again. */
export class ArchiveLayouts {
  readonly #database: Database;
  readonly #blobs: BlobStore;
  /** The oldest first. */
  readonly #kept = new Map<Digest, { layout: Promise<ArchiveLayout>; entries: number }>();

  /** Those of this process: each dialect that serves archives reads the same ones. */
  static of(database: Database, blobs: BlobStore): ArchiveLayouts {
    const known = ArchiveLayouts.#ofStores.get(blobs) ?? new ArchiveLayouts(database, blobs);
    ArchiveLayouts.#ofStores.set(blobs, known);
    return known;
  }

  static readonly #ofStores = new WeakMap<BlobStore, ArchiveLayouts>();

  private constructor(database: Database, blobs: BlobStore) {
    this.#database = database;
    this.#blobs = blobs;
  }

  async of(bundle: BundleRow): Promise<ArchiveLayout> {
    const { manifestDigest, entries } = bundle;
    const layout =
      this.#kept.get(manifestDigest)?.layout ?? openArchive(this.#database.sql, this.#blobs, bundle);
    this.#keep(manifestDigest, { layout, entries });
    try {
      return await layout;
    } catch (error) {
      this.#kept.delete(manifestDigest);
      throw error;
    }
  }

  #keep(digest: Digest, item: { layout: Promise<ArchiveLayout>; entries: number }): void {
    this.#kept.delete(digest);
    this.#kept.set(digest, item);
    let entries = [...this.#kept.values()].reduce((sum, one) => sum + one.entries, 0);
    for (const [oldest, { entries: count }] of this.#kept) {
      if (entries <= MOST_ENTRIES) return;
      this.#kept.delete(oldest);
      entries -= count;
    }
  }
}
