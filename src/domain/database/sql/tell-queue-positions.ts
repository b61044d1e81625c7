import { CHANNEL } from '../../events/event.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/**
 * Writes an event for each waiting build of a project whose place in the queue has changed; the first place is told by
 * the event that it waits. Far from the front not every step is told, or a long queue would write events by the square of
 * its length. Called in every transaction in which a build begins or ceases to wait, after all other locks are taken.
 *
 * Builds that somebody else holds just now are passed over: whoever holds a waiting build changes its state.
 */
export async function tellQueuePositions(sql: SqlExecutor, projectId: number): Promise<void> {
  // One at a time, or an older position could be told last.
  await sql.query('select from projects where id = $1 for no key update', [projectId]);
  await sql.query(
    `with waiting as (
       select id, row_number() over (order by not is_admitted, queued_at, id) as position
       from image_builds where project_id = $1 and state = 'queued'
     ), moved as (
       select b.id, w.position, b.told_position is not null as is_news
       from image_builds b join waiting w on w.id = b.id
       where b.state = 'queued' and b.told_position is distinct from w.position
         and (b.told_position is null or w.position <= 10 or w.position % 10 = 0)
       for no key update of b skip locked
     ), told as (
       update image_builds b set told_position = m.position, version = b.version + m.is_news::integer
       from moved m where b.id = m.id returning b.id, b.version, m.position, m.is_news
     ), recorded as (
       insert into events (subject_type, subject_id, version, type, data)
       select 'image-build', id, version, 'queue', jsonb_build_object('position', position) from told where is_news
     )
     select pg_notify('${CHANNEL}', 'image-build:' || id) from told where is_news`,
    [projectId],
  );
}
