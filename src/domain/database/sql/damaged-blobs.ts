import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

export interface BlobRow {
  digest: Digest;
  size: number;
  isDamaged: boolean;
}

const PAGE = 10_000;

/** All of them, by digest. */
export async function* blobRows(sql: SqlExecutor): AsyncGenerator<BlobRow> {
  for (let after = ''; ; ) {
    const rows: BlobRow[] = await sql.query<BlobRow>(
      `select digest, size, damaged_at is not null as "isDamaged" from blobs where digest > $1 order by digest limit $2`,
      [after, PAGE],
    );
    yield* rows;
    if (rows.length < PAGE) return;
    after = rows.at(-1)!.digest;
  }
}

/** Nobody is given these blobs any more, nor bundles that they are part of; returns those that were served until now. */
export async function markDamagedBlobs(sql: SqlExecutor, digests: readonly Digest[]): Promise<Digest[]> {
  const rows = await sql.query<{ digest: Digest }>(
    `with marked as (
       update blobs set damaged_at = now() where digest = any($1::text[]) and damaged_at is null
     )
     update bundles b set damaged_at = now()
     where b.damaged_at is null and (
       b.manifest_digest = any($1::text[]) or b.source_member_digest = any($1::text[]) or exists (
         select from bundle_blobs p where p.manifest_digest = b.manifest_digest and p.digest = any($1::text[])
       )
     )
     returning b.manifest_digest as digest`,
    [digests],
  );
  return rows.map((row) => row.digest);
}

export async function markWholeBlobs(sql: SqlExecutor, digests: readonly Digest[]): Promise<void> {
  await sql.query('update blobs set damaged_at = null where digest = any($1::text[])', [digests]);
}

/** Serves bundles again of which no part is damaged; returns them. */
export async function restoreWholeBundles(sql: SqlExecutor): Promise<Digest[]> {
  const rows = await sql.query<{ digest: Digest }>(
    `update bundles b set damaged_at = null
     where b.damaged_at is not null and not exists (
       select from blobs x where x.damaged_at is not null and (
         x.digest in (b.manifest_digest, b.source_member_digest) or exists (
           select from bundle_blobs p where p.manifest_digest = b.manifest_digest and p.digest = x.digest
         )
       )
     )
     returning b.manifest_digest as digest`,
  );
  return rows.map((row) => row.digest);
}

const MOST_USERS = 5;

/** Images and requests that need a blob, some of each. */
export async function usersOfBlobs(
  sql: SqlExecutor,
  digests: readonly Digest[],
): Promise<Map<Digest, string[]>> {
  const rows = await sql.query<{ digest: Digest; users: string[] }>(
    `select one.digest, array(
       (select distinct i.path || '@' || m.digest as name from manifests m join images i on i.id = m.image_id
        left join manifest_blobs mb on mb.manifest_id = m.id
        where m.digest = one.digest or mb.digest = one.digest order by name limit ${MOST_USERS})
       union all
       (select 'image ' || i.path as name from image_blobs l join images i on i.id = l.image_id
        where l.digest = one.digest and not l.is_named order by name limit ${MOST_USERS})
       union all
       (select 'request ' || r.id from bundle_requests r where r.bundle_digest in (
          select b.manifest_digest from bundles b
          where b.manifest_digest = one.digest or b.source_member_digest = one.digest
          union select p.manifest_digest from bundle_blobs p where p.digest = one.digest
        ) order by r.id limit ${MOST_USERS})
     ) as users
     from unnest($1::text[]) as one (digest)`,
    [digests],
  );
  return new Map(rows.map(({ digest, users }) => [digest, users]));
}
