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

/** Deletes rows of `blobs` that are older than so many seconds and that nothing references; returns their digests. */
export async function deleteUnreferencedBlobs(sql: SqlExecutor, olderThanSeconds: number): Promise<Digest[]> {
  const unreferenced = REFERENCES.map(
    ([table, column]) => `not exists (select from ${table} x where x.${column} = b.digest)`,
  );
  const rows = await sql.query<{ digest: Digest }>(
    `delete from blobs b
     where b.created_at < now() - make_interval(secs => $1) and ${unreferenced.join(' and ')}
     returning b.digest`,
    [olderThanSeconds],
  );
  return rows.map((row) => row.digest);
}
