import type { GarbageKind, Grace, Quantity } from '../../garbage/garbage.ts';
import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { IS_UNREFERENCED, IS_UNREFERENCED_BUT_BY_IMAGES } from './delete-unreferenced-blobs.ts';
import { IS_UNUSED_BUNDLE } from './delete-unused-bundles.ts';

export interface FoundGarbage {
  kind: GarbageKind;
  name: string;
  bytes: number;
}

/** What single statements of the collector would remove. */
export async function findGarbage(sql: SqlExecutor, grace: Grace): Promise<FoundGarbage[]> {
  return await sql.query(
    `select 'uploads' as kind, i.path || ' ' || s.id as name, s.size as bytes
     from upload_sessions s join images i on i.id = s.image_id
     where s.active_at < now() - make_interval(secs => $1) and (s.holder is null or s.held_until < now())
     union all
     select 'unusedImageBlobs', i.path || '@' || l.digest, 0
     from image_blobs l join images i on i.id = l.image_id
     where not l.is_named and l.touched_at < now() - make_interval(secs => $2)
     union all
     select 'emptyImages', i.path, 0 from images i
     where i.modified_at < now() - make_interval(secs => $3)
       and not exists (select from manifests m where m.image_id = i.id)
       and not exists (select from image_blobs l where l.image_id = i.id)
       and not exists (select from upload_sessions s where s.image_id = i.id)
     union all
     select 'unusedBundles', b.manifest_digest, 0 from bundles b
     where b.last_used_at < now() - make_interval(secs => $2) and ${IS_UNUSED_BUNDLE}
     union all
     select 'unnamedBlobs', b.digest, b.size from blobs b
     where b.created_at < now() - make_interval(secs => $4) and ${IS_UNREFERENCED}`,
    [grace.uploads, grace.content, grace.images, grace.bytes],
  );
}

/** Bytes that nothing names, or nothing but the list of an image: whatever their age. */
export async function findUnnamedBytes(sql: SqlExecutor): Promise<Quantity> {
  const [row] = await sql.query<Quantity>(
    `select count(*)::bigint as items, coalesce(sum(b.size), 0)::bigint as bytes from blobs b
     where not exists (select from image_blobs l where l.digest = b.digest and l.is_named)
       and ${IS_UNREFERENCED_BUT_BY_IMAGES}`,
  );
  return row!;
}

/** Those that have no row: nothing can name them. */
export async function findStrayBytes(
  sql: SqlExecutor,
  files: readonly { digest: Digest; size: number }[],
): Promise<{ digest: Digest; size: number }[]> {
  if (files.length === 0) return [];
  return await sql.query(
    `select one.digest, one.size from unnest($1::text[], $2::bigint[]) as one (digest, size)
     where not exists (select from blobs b where b.digest = one.digest)`,
    [files.map((file) => file.digest), files.map((file) => file.size)],
  );
}
