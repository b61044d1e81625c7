import { CHANNEL } from '../../events/event.ts';
import type { SqlExecutor } from '../sql-executor.ts';

export interface CountedPull {
  manifestId: number;
  /** null: pulled by digest. */
  tag: string | null;
  pulls: number;
}

/**
 * A pull by digest counts for the tag that was pushed last onto it; a digest without a tag counts for nothing, but is
 * known as used, and with it the indexes that it is part of, and the parts of an index
 * (oci-registry.md 10). Rows are locked in the order of their keys, so that gateways do not wait for each other in a
 * circle.
 */
export async function recordPulls(sql: SqlExecutor, counts: readonly CountedPull[]): Promise<void> {
  const parameters = [
    counts.map((count) => count.manifestId),
    counts.map((count) => count.tag),
    counts.map((count) => count.pulls),
  ];
  await sql.query(
    `update images set last_pulled_at = now()
     where id in (
       select i.id from images i
       where i.id in (select m.image_id from manifests m where m.id = any($1::bigint[])) order by i.id for no key update
     )`,
    [parameters[0]],
  );
  await sql.query(
    `with pulled as (select id, image_id, digest from manifests where id = any($1::bigint[]))
     update manifests set last_pulled_at = now() where id in (
       select id from pulled
       union
       select parent.id from pulled p
       join manifest_children mc on mc.digest = p.digest
       join manifests parent on parent.id = mc.manifest_id and parent.image_id = p.image_id
       union
       select child.id from pulled p
       join manifest_children mc on mc.manifest_id = p.id
       join manifests child on child.image_id = p.image_id and child.digest = mc.digest
     )`,
    [parameters[0]],
  );
  await sql.query(
    `with counted as (
       select m.image_id, coalesce(
         (select t.name from tags t where t.image_id = m.image_id and t.name = c.tag),
         (select t.name from tags t where t.manifest_id = m.id order by t.modified_at desc limit 1)
       ) as tag, sum(c.pulls)::bigint as pulls
       from unnest($1::bigint[], $2::text[], $3::bigint[]) as c (manifest_id, tag, pulls)
       join manifests m on m.id = c.manifest_id
       group by 1, 2
     ), of_tags as (
       update tags t set downloads = t.downloads + c.pulls, last_pulled_at = now()
       from counted c where t.image_id = c.image_id and t.name = c.tag
     ), of_images as (
       update images i set downloads = i.downloads + c.pulls
       from (select image_id, sum(pulls)::bigint as pulls from counted where tag is not null group by image_id) c
       where i.id = c.image_id
     )
     insert into tag_pulls (image_id, tag, day, pulls)
     select image_id, tag, (now() at time zone 'UTC')::date, pulls from counted where tag is not null
     on conflict (image_id, tag, day) do update set pulls = tag_pulls.pulls + excluded.pulls`,
    parameters,
  );
  await sql.query(
    `select pg_notify('${CHANNEL}', 'image-pulls:' || image_id)
     from (select distinct image_id from manifests where id = any($1::bigint[])) as one`,
    [parameters[0]],
  );
}
