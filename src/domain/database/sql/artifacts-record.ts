import type { StoredBlob } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

export interface NewArtifact {
  key: string;
  url: string;
  blob: StoredBlob;
  digests: Record<string, string>;
  metadata: Record<string, unknown>;
}

/**
 * Notes durable blobs, names them as artefacts and gives up the claims on their keys, all in one statement. What was
 * known of the same bytes is kept beside the new facts; a row with other bytes is replaced. Each key may be there once only.
 */
export async function recordArtifacts(
  sql: SqlExecutor,
  artifacts: readonly NewArtifact[],
  claimedBy: string,
): Promise<void> {
  await sql.query(
    `with released as (
       delete from artifact_claims where key = any ($1::text[]) and claimed_by = $6
     ), noted as (
       insert into blobs (digest, size, crc32)
       select distinct on (digest) digest, size, crc32
       from unnest($3::text[], $7::bigint[], $8::bigint[]) as blob (digest, size, crc32)
       order by digest
       on conflict do nothing
     )
     insert into artifacts as a (key, url, digest, digests, metadata)
     select key, url, digest, digests::jsonb, metadata::jsonb
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) as one (key, url, digest, digests, metadata)
     order by key
     on conflict (key) do update set
       url = excluded.url,
       digest = excluded.digest,
       digests = case when a.digest = excluded.digest then a.digests else '{}' end || excluded.digests,
       metadata = case when a.digest = excluded.digest then a.metadata else '{}' end || excluded.metadata,
       last_used_at = now()`,
    [
      artifacts.map((artifact) => artifact.key),
      artifacts.map((artifact) => artifact.url),
      artifacts.map((artifact) => artifact.blob.digest),
      artifacts.map((artifact) => JSON.stringify(artifact.digests)),
      artifacts.map((artifact) => JSON.stringify(artifact.metadata)),
      claimedBy,
      artifacts.map((artifact) => artifact.blob.size),
      artifacts.map((artifact) => artifact.blob.crc32),
    ],
  );
}
