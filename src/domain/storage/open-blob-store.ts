import type { Settings } from '../config.ts';
import type { BlobStore } from './blob-store.ts';
import { FileBlobStore } from './file-blob-store.ts';

/** The store that `STOWAGE_BLOB_STORE` names; nobody else loads the client of S3. */
export async function openBlobStore({
  blobStore,
  s3Endpoint,
}: Pick<Settings, 'blobStore' | 's3Endpoint'>): Promise<BlobStore> {
  const directory = /^file:(.+)$/.exec(blobStore)?.[1];
  if (directory !== undefined) return new FileBlobStore(directory.replace(/^\/\/(?=\/)/, ''));
  const [, bucket = '', path = ''] = /^s3:\/\/([^/]+)\/*(.*?)\/*$/.exec(blobStore) ?? [];
  const { S3BlobStore } = await import('./s3-blob-store.ts');
  return new S3BlobStore({ bucket, prefix: path === '' ? '' : `${path}/`, endpoint: s3Endpoint });
}
