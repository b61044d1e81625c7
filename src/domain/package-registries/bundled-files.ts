import { parseManifest } from '../bundles/bundle-manifest.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';

/** A dependency's file in a bundle. */
export interface BundledFile {
  /** Relative to the bundle root, e.g. `deps/npm/chai/chai-4.2.0.tgz`. */
  path: string;
  digest: Digest;
  size: number;
}

/** The files below `deps/` by their paths, in the order of the manifest. */
export type BundledFiles = ReadonlyMap<string, BundledFile>;
/** Puts the files of one kind of registry in order. Called once for each bundle. */
export type Arrange<View> = (files: BundledFiles) => View;

const LARGEST_MANIFEST = 256 * 1024 * 1024;
/** Files of all bundles that are kept; one takes about 1 KiB with what the registries make of it. */
const MOST_FILES = 50_000;

interface Kept {
  files: Promise<BundledFiles>;
  views: Map<Arrange<unknown>, Promise<unknown>>;
  count: number;
}

/** What lies in the bundles that were asked for last: an install asks for one of them a thousand times. */
export class BundleContentsCache {
  readonly #blobs: BlobStore;
  /** The oldest first. */
  readonly #kept = new Map<Digest, Kept>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  async files(bundle: Digest): Promise<BundledFiles> {
    return await this.#of(bundle).files;
  }

  /** What `arrange` makes of the bundle's files; it must be the same function each time. */
  async view<View>(bundle: Digest, arrange: Arrange<View>): Promise<View> {
    const { files, views } = this.#of(bundle);
    let view = views.get(arrange);
    if (!view) {
      view = files.then(arrange);
      views.set(arrange, view);
    }
    return (await view) as View;
  }

  #of(bundle: Digest): Kept {
    const known = this.#kept.get(bundle);
    if (known) {
      this.#kept.delete(bundle);
      this.#kept.set(bundle, known);
      return known;
    }
    const kept: Kept = { files: this.#read(bundle), views: new Map(), count: 0 };
    this.#kept.set(bundle, kept);
    kept.files.then(
      (files) => {
        kept.count = files.size;
        this.#trim();
      },
      () => this.#kept.delete(bundle),
    );
    return kept;
  }

  async #read(bundle: Digest): Promise<BundledFiles> {
    const manifest = parseManifest((await this.#blobs.readWhole(bundle, LARGEST_MANIFEST)).toString('utf8'));
    const files = new Map<string, BundledFile>();
    for (const { path, type, digest, size } of manifest.entries) {
      if (type !== 'file' || digest === undefined || !path.startsWith('deps/')) continue;
      files.set(path, { path, digest, size });
    }
    return files;
  }

  /** The bundle that was asked for last stays, however large it is. */
  #trim(): void {
    let count = [...this.#kept.values()].reduce((sum, one) => sum + one.count, 0);
    for (const [bundle, kept] of this.#kept) {
      if (count <= MOST_FILES || this.#kept.size === 1) return;
      this.#kept.delete(bundle);
      count -= kept.count;
    }
  }
}
