import type { SqlExecutor } from '../sql-executor.ts';

export interface UpstreamRepository {
  id: number;
  projectId: number;
  /** null: it was made for something else. */
  upstream: string | null;
}

/** Made if it is not there yet. Somebody else may be making it at the same time. */
export async function ensureUpstreamRepository(
  sql: SqlExecutor,
  repository: { projectId: number; name: string; upstream: string; retention: object },
): Promise<UpstreamRepository> {
  const { projectId, name, upstream, retention } = repository;
  await sql.query(
    `insert into repositories (project_id, name, category, upstream, description, retention)
     values ($1, $2, 'REMOTE', $3, 'Images of ' || $3, $4::jsonb)
     on conflict (project_id, name) do nothing`,
    [projectId, name, upstream, JSON.stringify(retention)],
  );
  const [row] = await sql.query<UpstreamRepository>(
    `select id, project_id as "projectId", upstream from repositories where project_id = $1 and name = $2`,
    [projectId, name],
  );
  return row!;
}

/**
 * Makes blobs visible in a copy that another copy has: what others pushed here is never taken, since whoever names its
 * digest would get to read it. Returns those that are there now.
 */
export async function shareUpstreamBlobs(
  sql: SqlExecutor,
  imageId: number,
  digests: readonly string[],
): Promise<Set<string>> {
  const rows = await sql.query<{ digest: string }>(
    `with kept as (
       update blobs b set created_at = now()
       where b.digest = any($2::text[]) and b.damaged_at is null and exists (
         select from image_blobs l join images i on i.id = l.image_id join repositories r on r.id = i.repository_id
         where l.digest = b.digest and r.upstream is not null
       ) returning b.digest
     )
     insert into image_blobs (image_id, digest) select $1, digest from kept
     on conflict (image_id, digest) do update set touched_at = now()
     returning digest`,
    [imageId, digests],
  );
  return new Set(rows.map((row) => row.digest));
}

/** Whether a manifest and all blobs that it names are there and whole. */
export async function isManifestWhole(sql: SqlExecutor, imageId: number, digest: string): Promise<boolean> {
  const [row] = await sql.query<{ isWhole: boolean }>(
    `select b.damaged_at is null and not exists (
       select from manifest_blobs mb left join blobs l on l.digest = mb.digest
       where mb.manifest_id = m.id and (l.digest is null or l.damaged_at is not null)
     ) as "isWhole"
     from manifests m join blobs b on b.digest = m.digest where m.image_id = $1 and m.digest = $2`,
    [imageId, digest],
  );
  return row?.isWhole ?? false;
}
