import { CHANNEL } from '../../events/event.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Whose row counts its versions, by the table of the row. */
const TABLES = {
  'bundle-request': 'bundle_requests',
  'image-build': 'image_builds',
  repository: 'repositories',
} as const;

/** Raises the version of a subject and writes the event under it. Nothing where there is no such subject: null. */
export async function recordVersionedEvent(
  sql: SqlExecutor,
  subject: { type: keyof typeof TABLES; id: number },
  event: { type: string; data: object },
): Promise<number | null> {
  const [row] = await sql.query<{ version: number }>(
    `with subject as (
       update ${TABLES[subject.type]} set version = version + 1 where id = $1 returning version
     ), recorded as (
       insert into events (subject_type, subject_id, version, type, data)
       select '${subject.type}', $1, version, $2, $3::jsonb from subject
     )
     select version, pg_notify('${CHANNEL}', '${subject.type}:' || $1) from subject`,
    [subject.id, event.type, JSON.stringify(event.data)],
  );
  return row?.version ?? null;
}
