import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

export interface DiscardedManifest {
  id: number;
  imageId: number;
  path: string;
  digest: Digest;
  size: number;
  why: 'untagged' | 'orphaned';
}

/**
 * Manifests that nobody needs (oci-registry.md 10): no tag, no index of their image has them, nobody pushed them or asked
 * for them to push within the grace period, and
 * - their last tag or their index was deleted, unless the rules of the repository say otherwise; or
 * - the rules say after how many days without a tag and without a pull they go; or
 * - they refer to a manifest that was deleted, unless the rules say that such stay.
 * What a tag was moved away from stays, and so does what was pushed by its digest.
 */
const CONDITION = `
  m.untagged_at is not null
  and m.touched_at < now() - make_interval(secs => $1)
  and not exists (
    select from manifest_children mc join manifests parent on parent.id = mc.manifest_id
    where mc.digest = m.digest and parent.image_id = m.image_id
  )
  and (
    (m.discarded_at >= m.untagged_at and m.discarded_at < now() - make_interval(secs => $1))
    or (
      m.subject is null and r.retention ? 'untaggedDays'
      and greatest(m.untagged_at, m.last_pulled_at) < now() - make_interval(days => (r.retention->>'untaggedDays')::integer)
    )
    or (
      m.orphaned_at < now() - make_interval(secs => $1) and coalesce(r.retention->>'orphans', 'remove') = 'remove'
    )
  )`;

/** The next ones by id. */
export async function findDiscardedManifests(
  sql: SqlExecutor,
  page: { graceSeconds: number; afterId: number; limit: number },
): Promise<DiscardedManifest[]> {
  return await sql.query(
    `select m.id, m.image_id as "imageId", i.path, m.digest, m.size,
       case when m.orphaned_at is null then 'untagged' else 'orphaned' end as why
     from manifests m join images i on i.id = m.image_id join repositories r on r.id = i.repository_id
     where m.id > $2
       and (m.discarded_at is not null or m.orphaned_at is not null or r.retention ? 'untaggedDays')
       and ${CONDITION}
     order by m.id limit $3`,
    [page.graceSeconds, page.afterId, page.limit],
  );
}

/** Whether it still is one, now that nobody else changes its image. */
export async function isStillDiscarded(sql: SqlExecutor, id: number, graceSeconds: number): Promise<boolean> {
  const rows = await sql.query(
    `select 1 from manifests m join images i on i.id = m.image_id join repositories r on r.id = i.repository_id
     where m.id = $2 and ${CONDITION} for update of m`,
    [graceSeconds, id],
  );
  return rows.length > 0;
}

/** Somebody who pushes was told that the manifest is here. False: it is not any more. */
export async function touchManifest(sql: SqlExecutor, id: number): Promise<boolean> {
  const rows = await sql.query('update manifests set touched_at = now() where id = $1 returning id', [id]);
  return rows.length > 0;
}
