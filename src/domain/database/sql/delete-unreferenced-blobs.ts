import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Every column that names a blob. A new one belongs here (its foreign key protects the blob in any case). */
const REFERENCES = [
  ['artifacts', 'digest'],
  ['source_snapshots', 'index_digest'],
  ['source_snapshots', 'pack_digest'],
  ['uploads', 'digest'],
  ['bundles', 'manifest_digest'],
  ['bundles', 'source_member_digest'],
  ['bundle_blobs', 'digest'],
  ['source_members', 'digest'],
  ['bundle_requests', 'cyclonedx_digest'],
  ['bundle_requests', 'spdx_digest'],
  ['bundle_requests', 'provenance_digest'],
  ['bundle_request_steps', 'result_digest'],
  ['log_streams', 'digest'],
  ['image_blobs', 'digest'],
  ['manifests', 'digest'],
  ['manifest_blobs', 'digest'],
] as const;

const FOREIGN_KEY_VIOLATION = '23503';
const MOST_ATTEMPTS = 5;

/**
 * Deletes rows of `blobs` that are older than so many seconds and that nothing references; returns their digests. A blob
 * that something begins to name at this very moment stays: its row counts as new then, or its foreign key refuses the
 * statement, which is repeated.
 */
export async function deleteUnreferencedBlobs(sql: SqlExecutor, olderThanSeconds: number): Promise<Digest[]> {
  const unreferenced = REFERENCES.map(
    ([table, column]) => `not exists (select from ${table} x where x.${column} = b.digest)`,
  );
  const statement = `delete from blobs b
     where b.created_at < now() - make_interval(secs => $1) and ${unreferenced.join(' and ')}
     returning b.digest`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const rows = await sql.query<{ digest: Digest }>(statement, [olderThanSeconds]);
      return rows.map((row) => row.digest);
    } catch (error) {
      if ((error as { code?: string }).code !== FOREIGN_KEY_VIOLATION || attempt >= MOST_ATTEMPTS)
        throw error;
    }
  }
}
