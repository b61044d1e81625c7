import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from '../../src/domain/database/database.ts';

/** What the tables say when everything is over. */
export interface Job {
  id: number;
  state: string;
  /** Why it failed, if it did. */
  failure: unknown;
  /** How often it came to an end. */
  endings: number;
  /** Versions of its events, in order. */
  versions: number[];
  lines: number;
}

const TABLES = {
  'bundle-request': { table: 'bundle_requests', failure: 'error' },
  'image-build': { table: 'image_builds', failure: 'failure' },
} as const;
/** Of the schedule, with one attempt each: the next run does what one that failed has left. */
const MAINTENANCE = [
  'expire-requests',
  'expire-uploads',
  'collect-garbage',
  'apply-retention',
  'scrub-store',
];
const UNFINISHED = ['in_progress', 'queued', 'running'];

export async function jobsOf({ sql }: Database, subject: keyof typeof TABLES): Promise<Map<number, Job>> {
  const { table, failure } = TABLES[subject];
  const jobs = await sql.query<Job>(
    `select j.id, j.state, j.${failure} as failure,
       count(e.version) filter (where e.type = 'state' and e.data->>'state' <> all($2::text[]))::int as endings,
       array_agg(e.version::int order by e.version) as versions,
       coalesce((select lines from log_streams where subject_type = $1 and subject_id = j.id), 0)::int as lines
     from ${table} j join events e on e.subject_type = $1 and e.subject_id = j.id
     group by j.id order by j.id`,
    [subject, UNFINISHED],
  );
  return new Map(jobs.map((job) => [job.id, job]));
}

export async function unfinished({ sql }: Database): Promise<string[]> {
  const rows = await sql.query<{ job: string }>(
    `select 'request ' || id as job from bundle_requests where state = 'in_progress'
     union all select 'build ' || id from image_builds where state in ('queued', 'running')
     union all select task_identifier || ' ' || id from graphile_worker.jobs
       where locked_at is not null or (attempts < max_attempts and task_identifier <> all($1::text[]))`,
    [MAINTENANCE],
  );
  return rows.map(({ job }) => job);
}

/** What has failed with the database waits longer and longer for its next attempt: not now, when all is well again. */
export async function hurry({ sql }: Database): Promise<void> {
  await sql.query(
    `update graphile_worker._private_jobs set run_at = now()
     where locked_at is null and run_at > now() and attempts between 1 and max_attempts - 1`,
  );
}

/** Jobs that the queue has given up. */
export async function deadJobs({ sql }: Database): Promise<string[]> {
  const rows = await sql.query<{ job: string }>(
    `select task_identifier || ': ' || coalesce(last_error, '') as job
     from graphile_worker.jobs where attempts >= max_attempts and task_identifier <> all($1::text[])`,
    [MAINTENANCE],
  );
  return rows.map(({ job }) => job);
}

/** How often workers lost their queue with the database, and took it up again. */
export async function renewals({ sql }: Database): Promise<number> {
  const [row] = await sql.query<{ times: number }>(
    `select coalesce(sum((metrics->>'stowage_queue_renewals_total')::int), 0)::int as times from workers`,
  );
  return row!.times;
}

/** Tables of which somebody holds rows, and sessions in the middle of a transaction. */
export async function heldRows({ sql, transaction }: Database): Promise<string[]> {
  const held: string[] = [];
  const tables = await sql.query<{ name: string }>(
    `select format('%I', tablename) as name from pg_tables where schemaname = 'public' order by 1`,
  );
  for (const { name } of tables) {
    await transaction((tx) => tx.sql.query(`select from ${name} for update nowait`)).catch((error: Error) =>
      held.push(`${name}: ${error.message}`),
    );
  }
  const sessions = await sql.query<{ session: string }>(
    `select application_name || ': ' || state as session from pg_stat_activity
     where datname = current_database() and state like 'idle in transaction%'`,
  );
  return [...held, ...sessions.map(({ session }) => session)];
}

/** Files of data directories that somebody has left in the middle of something, mounts and processes among them. */
export async function leftIn(directory: string, names: readonly string[]): Promise<string[]> {
  const left: string[] = [];
  for (const name of names) {
    const files = await readdir(join(directory, name, 'tmp')).catch(() => []);
    left.push(...files.map((file) => join(name, 'tmp', file)));
  }
  const mounts = (await readFile('/proc/mounts', 'utf8'))
    .split('\n')
    .filter((line) => line.includes(directory));
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(directory)) left.push(`process ${pid}: ${command.replaceAll('\0', ' ')}`);
  }
  return [...left, ...mounts];
}
