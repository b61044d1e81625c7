import type { SqlExecutor } from '../sql-executor.ts';

/** Who reads, for conditions of SQL. */
export interface Reader {
  userId: number | null;
  /** Everything: administrators, and everybody where anybody may pull. */
  readsAll: boolean;
}

/**
 * Condition on a repository `r` and its project `p`; `$n` is the user, `$n+1` whether all may be read. The same rule as in
 * src/domain/registry/access.ts.
 */
export function readable(n: number): string {
  return `(
    $${n + 1}::boolean or r.is_public or p.visibility = 'public'
    or exists (select from project_members pm where pm.project_id = p.id and pm.user_id = $${n}::bigint)
    or exists (select from repository_members rm where rm.repository_id = r.id and rm.user_id = $${n}::bigint)
  )`;
}

/** Digest of a blob with this address that some image has which the reader may read; null: there is none. */
export async function findReadableBlob(
  sql: SqlExecutor,
  reader: Reader,
  address: string,
): Promise<string | null> {
  const rows = await sql.query<{ digest: string }>(
    `select l.digest
     from image_blobs l
     join images i on i.id = l.image_id
     join repositories r on r.id = i.repository_id
     join projects p on p.id = r.project_id
     where l.digest = coalesce((select a.digest from blob_addresses a where a.address = $3), $3) and ${readable(1)}
     limit 1`,
    [reader.userId, reader.readsAll, address],
  );
  return rows[0]?.digest ?? null;
}

/** The next images with manifests, by path. */
export async function listReadableImages(
  sql: SqlExecutor,
  reader: Reader,
  page: { after: string | null; limit: number; project: string | null; repository: string | null },
): Promise<string[]> {
  const { after, limit, project, repository } = page;
  const path = project === null ? null : await findProjectPath(sql, project);
  if (project !== null && path === null) return [];
  // A range of the index wherever it can be: then a page costs the same, however much the rest is.
  const isInPrefix = path !== null && repository !== null;
  const prefix = path === null ? null : isInPrefix ? `${path}/${repository}/` : `${path}/`;
  const until = prefix === null ? null : `${prefix.slice(0, -1)}0`;
  const rows = await sql.query<{ path: string }>(
    `select i.path
     from images i
     join repositories r on r.id = i.repository_id
     join projects p on p.id = r.project_id
     where ($3::text is null or i.path > $3) and ($5::text is null or (i.path > $5 and i.path < $6))
       and ($7::text is null or r.name = $7)
       and exists (select from manifests m where m.image_id = i.id) and ${readable(1)}
     order by i.path limit $4`,
    [reader.userId, reader.readsAll, after, limit, prefix, until, isInPrefix ? null : repository],
  );
  return rows.map((row) => row.path);
}

async function findProjectPath(sql: SqlExecutor, name: string): Promise<string | null> {
  const [row] = await sql.query<{ path: string }>('select path from projects where name = $1', [name]);
  return row?.path ?? null;
}
