import { CHANNEL } from '../../events/event.ts';
import type { ServiceStatus } from '../../status/system-status.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { LIVES } from './workers.ts';

/** Woken when workers are asked for a report, and when one has come. */
export const REPORT_ASKED = 'worker-report:asked';
export const REPORT_MADE = 'worker-report:made';

/** However often somebody asks, upstreams are not asked more often than this. */
const IS_RECENT = `coalesce(reported_at > now() - interval '10 seconds', false)`;

/** Asks all living workers whose last report is not recent, unless somebody asked them just now. */
export async function askForReports(sql: SqlExecutor): Promise<void> {
  await sql.query(
    `with asked as (
       update workers set asked_at = now()
       where ${LIVES} and not ${IS_RECENT}
         and coalesce(asked_at <= reported_at or asked_at < now() - interval '5 seconds', true)
       returning id
     )
     select pg_notify('${CHANNEL}', '${REPORT_ASKED}') from asked limit 1`,
  );
}

/** Whether somebody waits for a report of this worker. */
export async function isReportAsked(sql: SqlExecutor, workerId: string): Promise<boolean> {
  const rows = await sql.query(
    'select from workers where id = $1 and asked_at is not null and coalesce(asked_at > reported_at, true)',
    [workerId],
  );
  return rows.length > 0;
}

export async function recordReport(
  sql: SqlExecutor,
  workerId: string,
  services: readonly ServiceStatus[],
): Promise<void> {
  await sql.query(
    `with recorded as (update workers set services = $2::jsonb, reported_at = now() where id = $1)
     select pg_notify('${CHANNEL}', '${REPORT_MADE}')`,
    [workerId, JSON.stringify(services)],
  );
}

export interface WorkerReport {
  host: string;
  lives: boolean;
  /** Its report is recent. */
  hasReported: boolean;
  services: ServiceStatus[];
}

/** Workers that have not said that they stop. */
export async function listReports(sql: SqlExecutor): Promise<WorkerReport[]> {
  return await sql.query<WorkerReport>(
    `select host, ${LIVES} as lives, ${IS_RECENT} as "hasReported", services
     from workers where stopped_at is null order by host collate "C", started_at, id`,
  );
}
