import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import { NotFoundError } from '../../domain/errors.ts';
import { BundleContentsCache, type BundledFile } from '../../domain/package-registries/bundled-files.ts';
import { FileFacts } from '../../domain/package-registries/file-facts.ts';
import type { BlobStore, Digest } from '../../domain/storage/blob-store.ts';
import type { Representation } from '../downloads/representation.ts';

/** What all registries of a process share. */
export interface RegistryServices {
  blobs: BlobStore;
  contents: BundleContentsCache;
  facts: FileFacts;
}

export function registryServices(sql: SqlExecutor, blobs: BlobStore): RegistryServices {
  return { blobs, contents: new BundleContentsCache(blobs), facts: new FileFacts(sql, blobs) };
}

/** A GET or HEAD at a registry whose client has shown its password. */
export interface RegistryRequest {
  services: RegistryServices;
  bundle: Digest;
  /** Of the registry, with a slash at its end. */
  url: string;
  /** Below it, decoded, without a slash at its beginning. */
  path: string;
  accept: string;
}

/** `redirect`: a URL. */
export type RegistryAnswer = { representation: Representation } | { redirect: string };

/** One kind of registry. Throws NotFoundError for what the request's bundle does not hold. */
export type Registry = (request: RegistryRequest) => Promise<RegistryAnswer>;

/** A file of the bundle as it is. */
export function fileAnswer(
  { services: { blobs } }: RegistryRequest,
  file: BundledFile | null | undefined,
  contentType: string,
): RegistryAnswer {
  if (!file) throw nothingThere();
  const { path, digest, size } = file;
  return {
    representation: {
      digest,
      size,
      contentType,
      // Nothing but what is safe in a header.
      fileName: path.slice(path.lastIndexOf('/') + 1).replace(/[^\w.+-]/g, '_'),
      disposition: 'attachment',
      open: (range) => blobs.read(digest, range),
    },
  };
}

export function nothingThere(): NotFoundError {
  return new NotFoundError('The request has no such package');
}
