import { archiveLayout } from '../../src/domain/bundles/archive-layout.ts';
import { readArchive } from '../../src/domain/bundles/archive-reader.ts';
import { parseManifest } from '../../src/domain/bundles/bundle-manifest.ts';
import type { Database } from '../../src/domain/database/database.ts';
import { findBundle } from '../../src/domain/database/sql/find-bundle.ts';
import type { BlobStore, Digest, StoredBlob } from '../../src/domain/storage/blob-store.ts';

/** The whole `.tar.gz` of a bundle, for small ones. */
export async function archiveBytes(
  database: Pick<Database, 'sql'>,
  blobs: BlobStore,
  manifestDigest: Digest,
): Promise<Buffer> {
  const bundle = (await findBundle(database.sql, manifestDigest))!;
  const rows = await database.sql.query<StoredBlob>('select digest, size, crc32 from blobs');
  const known = new Map(rows.map((row) => [row.digest, row]));
  const manifest = parseManifest((await blobs.readWhole(manifestDigest)).toString());
  const layout = archiveLayout(
    manifest,
    known.get(bundle.sourceMemberDigest)!,
    (digest) => known.get(digest)!.crc32,
  );
  const chunks: Buffer[] = [];
  for await (const chunk of readArchive(blobs, layout)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
