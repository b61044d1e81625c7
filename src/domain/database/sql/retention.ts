import type { RetentionRules } from '../../registry/retention-rules.ts';
import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** A tag that no rule keeps. */
export interface RetiredTag {
  imageId: number;
  /** Of the image. */
  path: string;
  tag: string;
  manifestId: number;
  digest: Digest;
  pushedAt: Date;
  pulledAt: Date | null;
}

/** By image and age. */
export async function findRetiredTags(
  sql: SqlExecutor,
  repositoryId: number,
  rules: RetentionRules,
): Promise<RetiredTag[]> {
  return await sql.query(
    `with ranked as (
       select t.image_id, i.path, t.name, t.manifest_id, m.digest, t.modified_at as pushed_at,
         greatest(t.last_pulled_at, m.last_pulled_at) as pulled_at,
         row_number() over (partition by t.image_id order by t.modified_at desc, t.name desc) as rank
       from tags t join images i on i.id = t.image_id join manifests m on m.id = t.manifest_id
       where i.repository_id = $1 and ($2::text[] = '{}' or i.name ~ any($2::text[]))
     )
     select image_id as "imageId", path, name as tag, manifest_id as "manifestId", digest,
       pushed_at as "pushedAt", pulled_at as "pulledAt"
     from ranked
     where not coalesce(rank <= $3::bigint, false)
       and not coalesce(pushed_at > now() - make_interval(days => $4::integer), false)
       and not coalesce(pushed_at >= $5::timestamptz, false)
       and not coalesce(pulled_at > now() - make_interval(days => $6::integer), false)
       and not name ~ any($7::text[])
     order by path, pushed_at, name`,
    [
      repositoryId,
      wholeNames(rules.images),
      rules.keepLatest ?? null,
      rules.keepDays ?? null,
      rules.keepSince ?? null,
      rules.keepPulledDays ?? null,
      wholeNames(rules.keepTags),
    ],
  );
}

const INVALID_REGULAR_EXPRESSION = '2201B';

/** The first of them that is none; null: all are. */
export async function findInvalidPattern(
  sql: SqlExecutor,
  patterns: readonly string[],
): Promise<string | null> {
  for (const pattern of patterns) {
    try {
      await sql.query('select $1::text ~ $2::text', ['', wholeNames([pattern])[0]]);
    } catch (error) {
      if ((error as { code?: string }).code === INVALID_REGULAR_EXPRESSION) return pattern;
      throw error;
    }
  }
  return null;
}

function wholeNames(patterns: readonly string[] = []): string[] {
  return patterns.map((pattern) => `^(?:${pattern})$`);
}

export async function repositoriesWithRules(
  sql: SqlExecutor,
): Promise<{ id: number; retention: RetentionRules }[]> {
  return await sql.query('select id, retention from repositories where retention is not null order by id');
}

/** Whether the tag is where it was, now that nobody else changes its image. */
export async function isTagUnmoved(
  sql: SqlExecutor,
  { imageId, tag, pushedAt }: RetiredTag,
): Promise<boolean> {
  // The driver's dates know no more than milliseconds.
  const rows = await sql.query(
    `select 1 from tags where image_id = $1 and name = $2 and date_trunc('milliseconds', modified_at) = $3`,
    [imageId, tag, pushedAt],
  );
  return rows.length > 0;
}

/** `rules` null: everything with a tag stays. */
export async function setRepositoryRetention(
  sql: SqlExecutor,
  changed: { repositoryId: number; rules: RetentionRules | null; userId: number | null },
): Promise<void> {
  await sql.query(
    `update repositories set retention = $2::jsonb, modified_by_id = $3, modified_at = clock_timestamp() where id = $1`,
    [changed.repositoryId, changed.rules === null ? null : JSON.stringify(changed.rules), changed.userId],
  );
}

export async function setRepositoryConfiguration(
  sql: SqlExecutor,
  repositoryId: number,
  configuration: object,
): Promise<void> {
  await sql.query('update repositories set configuration = $2::jsonb where id = $1', [
    repositoryId,
    JSON.stringify(configuration),
  ]);
}
