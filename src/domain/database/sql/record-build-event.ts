import type { BuildEventData } from '../../images/image-build.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { recordVersionedEvent } from './record-versioned-event.ts';

/** Raises the build's version and writes the event under it. The caller knows that the build is there. */
export async function recordBuildEvent<Type extends keyof BuildEventData>(
  sql: SqlExecutor,
  buildId: number,
  type: Type,
  data: BuildEventData[Type],
): Promise<number> {
  return (await recordVersionedEvent(sql, { type: 'image-build', id: buildId }, { type, data }))!;
}
