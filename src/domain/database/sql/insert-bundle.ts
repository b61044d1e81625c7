import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import type { BundleFacts } from './find-bundle.ts';

export interface NewBundle extends BundleFacts {
  /** Blobs that the archive is made of, besides the source member. */
  blobs: readonly Digest[];
}

/**
 * A bundle that is there already keeps its bytes: it stays what the writer of its day made of it. One that was damaged
 * has been made anew.
 */
export async function insertBundle(sql: SqlExecutor, bundle: NewBundle): Promise<void> {
  await sql.query(
    `insert into bundles (manifest_digest, tar_digest, tar_size, archive_digest, archive_size, writer_version,
       source_member_digest, entries, reproducible_digest)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (manifest_digest) do update set last_used_at = now(), damaged_at = null,
       archive_digest = case when bundles.damaged_at is null then bundles.archive_digest else excluded.archive_digest end,
       archive_size = case when bundles.damaged_at is null then bundles.archive_size else excluded.archive_size end,
       writer_version = case when bundles.damaged_at is null then bundles.writer_version else excluded.writer_version end,
       source_member_digest = case when bundles.damaged_at is null then bundles.source_member_digest else excluded.source_member_digest end`,
    [
      bundle.manifestDigest,
      bundle.tarDigest,
      bundle.tarSize,
      bundle.archiveDigest,
      bundle.archiveSize,
      bundle.writerVersion,
      bundle.sourceMemberDigest,
      bundle.entries,
      bundle.reproducibleDigest,
    ],
  );
  await sql.query(
    `insert into bundle_blobs (manifest_digest, digest) select distinct $1, * from unnest($2::text[])
     on conflict do nothing`,
    [bundle.manifestDigest, bundle.blobs],
  );
}
