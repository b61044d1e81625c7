/** What the collector removes, in its order, and why (oci-registry.md 10). */
export const GARBAGE = {
  uploads: 'uploads that nobody has gone on with for a day',
  retiredTags: 'tags that the retention rules of their repository do not keep',
  untaggedManifests:
    'manifests whose last tag was deleted, or that the rules of their repository do not keep without one',
  orphanedReferrers: 'manifests that refer to one which was here and is deleted',
  unusedImageBlobs: 'blobs of an image that none of its manifests names',
  emptyImages: 'images without a manifest, a blob or an upload',
  unusedBundles: 'bundles that no request names',
  unnamedBlobs: 'bytes that nothing names any more',
  strayFiles: 'files of the store that nothing has ever named',
} as const;

export type GarbageKind = keyof typeof GARBAGE;

export interface Quantity {
  items: number;
  /** Of the disk; 0 for what only names bytes. */
  bytes: number;
}

export type Garbage = Partial<Record<GarbageKind, Quantity>>;

/** How long what looks unused stays, in seconds: somebody may be about to use it. */
export interface Grace {
  /** Manifests, blobs of images, bundles. */
  content: number;
  /** The bytes themselves; {@link file://./running-requests.ts} may make it longer. */
  bytes: number;
  /** Uploads that nobody goes on with (oci-registry.md 4). */
  uploads: number;
  images: number;
}

const HOUR = 3600;
export const GRACE: Grace = { content: HOUR, bytes: HOUR, uploads: 24 * HOUR, images: 24 * HOUR };

/** With another time for content; the others never last longer than they do otherwise, nor less than that. */
export function graceOf(contentSeconds: number): Grace {
  return {
    content: contentSeconds,
    bytes: contentSeconds,
    uploads: Math.max(GRACE.uploads, contentSeconds),
    images: Math.max(GRACE.images, contentSeconds),
  };
}
