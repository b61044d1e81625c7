import { CHANNEL } from '../../events/event.ts';
import type { BuildEventData } from '../../images/image-build.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Raises the build's version and writes the event under it. */
export async function recordBuildEvent<Type extends keyof BuildEventData>(
  sql: SqlExecutor,
  buildId: number,
  type: Type,
  data: BuildEventData[Type],
): Promise<number> {
  const [row] = await sql.query<{ version: number }>(
    `with build as (
       update image_builds set version = version + 1 where id = $1 returning version
     ), recorded as (
       insert into events (subject_type, subject_id, version, type, data)
       select 'image-build', $1, version, $2, $3::jsonb from build
     )
     select version, pg_notify('${CHANNEL}', 'image-build:' || $1) from build`,
    [buildId, type, JSON.stringify(data)],
  );
  return row!.version;
}
