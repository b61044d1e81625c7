import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { NO_BACKUP_RUNS } from './running-backups.ts';

/**
 * Every column that names a blob, those that name the most first. A new one belongs here (its foreign key protects the
 * blob in any case). What is known of a file (`package_file_facts`) goes with it.
 */
const REFERENCES = [
  ['image_blobs', 'digest'],
  ['bundle_blobs', 'digest'],
  ['manifest_blobs', 'digest'],
  ['manifests', 'digest'],
  ['artifacts', 'digest'],
  ['source_snapshots', 'index_digest'],
  ['source_snapshots', 'pack_digest'],
  ['uploads', 'digest'],
  ['bundles', 'manifest_digest'],
  ['bundles', 'source_member_digest'],
  ['source_members', 'digest'],
  ['bundle_requests', 'cyclonedx_digest'],
  ['bundle_requests', 'spdx_digest'],
  ['bundle_requests', 'provenance_digest'],
  ['bundle_request_steps', 'result_digest'],
  ['log_streams', 'digest'],
] as const;

function unreferencedBy(references: readonly (readonly [string, string])[]): string {
  return references
    .map(([table, column]) => `not exists (select from ${table} x where x.${column} = b.digest)`)
    .join(' and ');
}

/** Conditions on `blobs b`: nothing names it. */
export const IS_UNREFERENCED = unreferencedBy(REFERENCES);
export const IS_UNREFERENCED_BUT_BY_IMAGES = unreferencedBy(
  REFERENCES.filter(([table]) => table !== 'image_blobs'),
);

export interface UnreferencedBlob {
  digest: Digest;
  size: number;
}

const FOREIGN_KEY_VIOLATION = '23503';
const MOST_ATTEMPTS = 20;
const PAGE = 5_000;

/**
 * Deletes rows of `blobs` that are older than so many seconds and that nothing references, a part at a time; notes that
 * their bytes are still to be removed. Nobody who is about to name one of them waits for this: rows that somebody holds are
 * left alone, and one that gets a name at this very moment makes the statement fail by its foreign key, which is repeated.
 */
export async function* deleteUnreferencedBlobs(
  sql: SqlExecutor,
  olderThanSeconds: number,
): AsyncGenerator<UnreferencedBlob[]> {
  for (let after: string | null = ''; after !== null; ) {
    const page = await deletePage(sql, olderThanSeconds, after);
    if (page.removed.length > 0) yield page.removed;
    after = page.last;
  }
}

async function deletePage(
  sql: SqlExecutor,
  olderThanSeconds: number,
  after: string,
): Promise<{ removed: UnreferencedBlob[]; last: string | null }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const [row] = await sql.query<{ removed: UnreferencedBlob[]; last: string | null }>(DELETE_PAGE, [
        olderThanSeconds,
        after,
        PAGE,
      ]);
      return row!;
    } catch (error) {
      if ((error as { code?: string }).code !== FOREIGN_KEY_VIOLATION || attempt >= MOST_ATTEMPTS)
        throw error;
    }
  }
}

const DELETE_PAGE = `
  with page as materialized (
    select digest from blobs where digest > $2 order by digest limit $3
  ), candidate as (
    select b.digest from blobs b
    where b.digest in (select digest from page) and b.created_at < now() - make_interval(secs => $1) and ${IS_UNREFERENCED}
    for update of b skip locked
  ), removed as (
    delete from blobs b using candidate c where b.digest = c.digest returning b.digest, b.size
  ), noted as (
    insert into removed_blobs (digest) select digest from removed
    on conflict (digest) do update set removed_at = now()
  )
  select
    (select max(digest) from page having count(*) = $3) as last,
    coalesce((select json_agg(json_build_object('digest', digest, 'size', size)) from removed), '[]') as removed`;

/** Bytes that are to be removed, and that nobody has named again since. While a backup is being made they wait. */
export async function findRemovedBlobs(sql: SqlExecutor, limit: number): Promise<Digest[]> {
  const rows = await sql.query<{ digest: Digest }>(
    `with named as (
       delete from removed_blobs r where exists (select from blobs b where b.digest = r.digest)
     )
     select digest from removed_blobs r where not exists (select from blobs b where b.digest = r.digest)
       and ${NO_BACKUP_RUNS} limit $1`,
    [limit],
  );
  return rows.map((row) => row.digest);
}

/** Their bytes are gone. */
export async function forgetRemovedBlobs(sql: SqlExecutor, digests: readonly Digest[]): Promise<void> {
  await sql.query('delete from removed_blobs where digest = any($1::text[])', [digests]);
}
