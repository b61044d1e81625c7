import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** The next tags by code point; null: the image has neither tags nor manifests, so nobody knows it. */
export async function listImageTags(
  sql: SqlExecutor,
  imageId: number,
  page: { after: string | null; limit: number },
): Promise<string[] | null> {
  const rows = await sql.query<{ name: string }>(
    `select name from tags where image_id = $1 and ($2::text is null or name > $2) order by name limit $3`,
    [imageId, page.after, page.limit],
  );
  if (rows.length > 0) return rows.map((row) => row.name);
  const [image] = await sql.query<{ known: boolean }>(
    'select exists (select from manifests where image_id = $1) as known',
    [imageId],
  );
  return image!.known ? [] : null;
}

export interface ReferrerRow {
  digest: Digest;
  sha512: string | null;
  mediaType: string;
  size: number;
  artifactType: string | null;
  annotations: Record<string, string> | null;
}

/** The next manifests of the image that have this subject, under either of its names, by digest. */
export async function listImageReferrers(
  sql: SqlExecutor,
  imageId: number,
  address: string,
  page: { artifactType: string | null; after: string | null; limit: number },
): Promise<ReferrerRow[]> {
  return await sql.query(
    `select digest, sha512, media_type as "mediaType", size, artifact_type as "artifactType", annotations
     from manifests
     where image_id = $1 and subject = any(array(
         select $2::text
         union select digest from manifests where image_id = $1 and sha512 = $2
         union select sha512 from manifests where image_id = $1 and digest = $2 and sha512 is not null
       ))
       and ($3::text is null or artifact_type = $3) and ($4::text is null or digest > $4)
     order by digest limit $5`,
    [imageId, address, page.artifactType, page.after, page.limit],
  );
}
