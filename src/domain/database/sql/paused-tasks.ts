import { CHANNEL } from '../../events/event.ts';
import type { TaskName } from '../../queue/tasks.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Woken when a task is paused or resumed. */
export const PAUSES = 'paused-tasks';

export interface PausedTask {
  task: TaskName;
  reason: string | null;
  pausedBy: string | null;
  pausedAt: Date;
}

export async function listPausedTasks(sql: SqlExecutor): Promise<PausedTask[]> {
  return await sql.query<PausedTask>(
    `select p.task, p.reason, u.name as "pausedBy", p.paused_at as "pausedAt"
     from paused_tasks p left join users u on u.id = p.paused_by_id order by p.task`,
  );
}

export async function isTaskPaused(sql: SqlExecutor, task: TaskName): Promise<boolean> {
  return (await sql.query('select from paused_tasks where task = $1', [task])).length > 0;
}

/** One that is paused already keeps its time; the reason is the newest one. */
export async function insertPausedTask(
  sql: SqlExecutor,
  pause: { task: TaskName; reason: string | null; userId: number | null },
): Promise<void> {
  await sql.query(
    `with paused as (
       insert into paused_tasks (task, reason, paused_by_id) values ($1, $2, $3)
       on conflict (task) do update set reason = excluded.reason, paused_by_id = excluded.paused_by_id
     )
     select pg_notify('${CHANNEL}', '${PAUSES}')`,
    [pause.task, pause.reason, pause.userId],
  );
}

export async function deletePausedTask(sql: SqlExecutor, task: TaskName): Promise<void> {
  await sql.query(
    `with resumed as (delete from paused_tasks where task = $1) select pg_notify('${CHANNEL}', '${PAUSES}')`,
    [task],
  );
}
