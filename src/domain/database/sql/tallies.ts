import type { Database } from '../database.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** What triggers have counted of requests or builds, see migrations/0040-retention.sql. */
export interface Tallies {
  /** How many are in a state. */
  states: { state: string; count: number }[];
  /** How many have ended in it, by how long they took; what became of them afterwards is of no account. */
  durations: Durations[];
}

export interface Durations {
  state: string;
  /** How many of the bounds of `duration_bucket` are not above the duration. */
  bucket: number;
  count: number;
  /** Of all of them together. */
  seconds: number;
}

export async function readTallies(
  sql: SqlExecutor,
  subjectType: 'bundle-request' | 'image-build',
): Promise<Tallies> {
  const rows = await sql.query<Durations & { kind: 'now' | 'ended' }>(
    `select kind, state, bucket, sum(count)::bigint as count, sum(seconds) as seconds from tallies
     where subject_type = $1 group by 1, 2, 3`,
    [subjectType],
  );
  return {
    states: rows.filter(({ kind }) => kind === 'now'),
    durations: rows.filter(({ kind }) => kind === 'ended'),
  };
}

/** Makes one row of all changes of the same number: what there is to add up stays little. */
export async function foldTallies(database: Pick<Database, 'transaction'>): Promise<void> {
  await database.transaction(async ({ sql }) => {
    await sql.query(
      `with taken as (delete from tallies returning *)
       insert into tallies (subject_type, kind, state, bucket, project_id, rules, block, count, seconds)
       select subject_type, kind, state, bucket, project_id, rules, block, sum(count), sum(seconds)
       from taken group by 1, 2, 3, 4, 5, 6, 7 having sum(count) <> 0 or kind = 'ended'`,
    );
  });
}
