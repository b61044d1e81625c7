import type { Settings } from '../config.ts';
import { InvalidInputError } from '../errors.ts';
import type { BlobStore } from './blob-store.ts';
import { FileBlobStore } from './file-blob-store.ts';

/** The store that `STOWAGE_BLOB_STORE` names. */
export function openBlobStore(settings: Settings): BlobStore {
  const directory = /^file:(.+)$/.exec(settings.blobStore)?.[1];
  if (directory !== undefined) return new FileBlobStore(directory.replace(/^\/\/(?=\/)/, ''));
  throw new InvalidInputError(
    `STOWAGE_BLOB_STORE: the S3 store is not in this release, use file:DIRECTORY instead of "${settings.blobStore}"`,
  );
}
