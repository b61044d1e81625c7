import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** False: it is known already, and was read or will be. */
export async function queueSbom(sql: SqlExecutor, manifestId: number): Promise<boolean> {
  const rows = await sql.query(
    `insert into sboms (manifest_id, state) values ($1, 'queued')
     on conflict (manifest_id) do update set state = 'queued', problem = null where sboms.state = 'failed'
     returning manifest_id`,
    [manifestId],
  );
  return rows.length > 0;
}

/**
 * Layers of an SBOM that is to be read: those of these types, or all where the manifest as a whole is of one. null: it is
 * gone, or read.
 */
export async function findQueuedSbom(
  sql: SqlExecutor,
  manifestId: number,
  mediaTypes: readonly string[],
): Promise<{ digest: Digest; size: number }[] | null> {
  const [queued] = await sql.query(`select from sboms where manifest_id = $1 and state = 'queued'`, [
    manifestId,
  ]);
  if (!queued) return null;
  return await sql.query<{ digest: Digest; size: number }>(
    `select mb.digest, b.size from manifest_blobs mb
     join manifests m on m.id = mb.manifest_id join blobs b on b.digest = mb.digest
     where mb.manifest_id = $1 and mb.role = 'layer'
       and (split_part(mb.media_type, ';', 1) = any($2::text[]) or m.artifact_type = any($2::text[]))
     order by mb.position limit $3`,
    [manifestId, mediaTypes, MOST_LAYERS],
  );
}

/** Of one SBOM: an artifact has one, or one for each format. */
const MOST_LAYERS = 8;

/** Holds the row, so that the SBOM cannot go before its components are noted. False: it is gone. */
export async function finishSbom(
  sql: SqlExecutor,
  sbom: { manifestId: number; format: string | null; problem: string | null },
): Promise<boolean> {
  const rows = await sql.query(
    `update sboms set state = case when $3::text is null then 'read' else 'failed' end, format = $2, problem = $3,
       read_at = now()
     where manifest_id = $1 returning manifest_id`,
    [sbom.manifestId, sbom.format, sbom.problem],
  );
  return rows.length > 0;
}

export async function replaceImageComponents(
  sql: SqlExecutor,
  manifestId: number,
  purls: readonly string[],
): Promise<void> {
  await sql.query('delete from image_components where sbom_id = $1', [manifestId]);
  await sql.query(
    `insert into image_components (component_id, sbom_id)
     select c.id, $1 from components c where c.purl = any($2::text[])`,
    [manifestId, purls],
  );
}

export interface SbomRow {
  manifestId: number;
  state: 'queued' | 'read' | 'failed';
  format: string | null;
  problem: string | null;
  readAt: Date | null;
}

export async function findSboms(sql: SqlExecutor, manifestIds: readonly number[]): Promise<SbomRow[]> {
  return await sql.query<SbomRow>(
    `select manifest_id as "manifestId", state, format, problem, read_at as "readAt"
     from sboms where manifest_id = any($1::bigint[])`,
    [manifestIds],
  );
}
