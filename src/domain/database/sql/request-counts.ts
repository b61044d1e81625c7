import { visibilityParameters, visibleByProject } from '../../bundle-requests/visibility.ts';
import type { Principal } from '../../identity/principal.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** What triggers count requests by. What is null or absent does not restrict. */
export interface CountedFilter {
  states?: readonly string[] | null | undefined;
  project?: string | null | undefined;
}

/** So many ids are one block, as in migrations/0041-large-tables.sql. */
const BLOCK = 16_384;

/** How many requests a principal may see, without looking at each. */
export async function countVisible(
  sql: SqlExecutor,
  principal: Principal,
  filter: CountedFilter,
): Promise<number> {
  return (await countByBlock(sql, principal, filter)).reduce((sum, { count }) => sum + count, 0);
}

/**
 * Where the requests behind the first `offset` ones, newest first, are to be looked for: below an id, behind so many. null: there
 * are no more.
 */
export async function placeOf(
  sql: SqlExecutor,
  principal: Principal,
  filter: CountedFilter,
  offset: number,
): Promise<{ olderThan: number; offset: number } | null> {
  let left = offset;
  for (const { block, count } of await countByBlock(sql, principal, filter)) {
    if (left < count) return { olderThan: (block + 1) * BLOCK, offset: left };
    left -= count;
  }
  return null;
}

/** The newest block first. What only its submitter may see is not counted by triggers, and little. */
async function countByBlock(
  sql: SqlExecutor,
  principal: Principal,
  { states, project }: CountedFilter,
): Promise<{ block: number; count: number }[]> {
  const visible = visibleByProject('$1', '$2');
  const chosen = `($3::text[] is null or r.state = any($3))
    and ($4::text is null or r.project_id = (select id from projects where name = $4))`;
  return await sql.query(
    `select block, sum(count)::bigint as count from (
       select block, count from tallies r
       where subject_type = 'bundle-request' and kind = 'now' and ${visible} and ${chosen}
       union all
       select id / ${BLOCK}, 1 from bundle_requests r where r.user_id = $2 and not ${visible} and ${chosen}
     ) counted group by block having sum(count) > 0 order by block desc`,
    [...visibilityParameters(principal), states ?? null, project ?? null],
  );
}
