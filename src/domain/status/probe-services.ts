import type { Settings } from '../config.ts';
import { isConnectionLost } from '../database/connection-lost.ts';
import type { Database } from '../database/database.ts';
import {
  askForReports,
  listReports,
  REPORT_MADE,
  type WorkerReport,
} from '../database/sql/worker-reports.ts';
import { BlobStoreUnavailableError } from '../errors.ts';
import type { EventHub } from '../events/event-hub.ts';
import { KeptResult, withTimeout } from '../kept-result.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import {
  canProcess,
  type OwnService,
  type ServiceStatus,
  type SystemStatus,
  WORKER_SERVICES,
} from './system-status.ts';

export interface StatusSources {
  settings: Pick<Settings, 'packageManagers'>;
  database: Pick<Database, 'sql'>;
  blobs: Pick<BlobStore, 'check'>;
  hub: Pick<EventHub, 'follow'>;
}

/** However often somebody asks. */
const KEPT_MS = 1_000;
const OWN_TIMEOUT_MS = 2_000;
/** A worker gives an upstream less time than this (src/workers/status/service-reports.ts). */
const REPORTS_TIMEOUT_MS = 4_000;
const MOST_MS = 4_500;

const known = new WeakMap<StatusSources['database'], KeptResult<SystemStatus>>();

/**
 * How our own services, the upstreams as the workers see them, and the workers are (cachito.md 6.2). Answers within five
 * seconds whatever is down, and never throws. One look serves everybody who asks meanwhile.
 */
export async function probeServices(sources: StatusSources): Promise<SystemStatus> {
  let status = known.get(sources.database);
  if (!status) {
    status = new KeptResult(probing(sources), KEPT_MS);
    known.set(sources.database, status);
  }
  return await status.get();
}

function probing(sources: StatusSources): () => Promise<SystemStatus> {
  const { settings, database, blobs, hub } = sources;
  const { sql } = database;
  // A check that hangs is not started a second time.
  const checks: Record<OwnService, KeptResult<unknown>> = {
    database: new KeptResult(() => sql.query('select 1'), 0),
    queue: new KeptResult(() => sql.query('select from graphile_worker.jobs limit 1'), 0),
    storage: new KeptResult(() => blobs.check({ space: true }), 0),
  };
  const reports = new KeptResult(() => reportsOfWorkers(sql, hub), 0);
  return async () => {
    const own = (Object.entries(checks) as [OwnService, KeptResult<unknown>][]).map(([name, check]) =>
      ownStatus(name, check),
    );
    const [answers, workerReports] = await Promise.all([
      Promise.all(own),
      // Without a database nobody knows of any worker.
      Promise.race([withTimeout(reports.get(), MOST_MS).catch(() => []), emptyUnlessOk(own[0]!)]),
    ]);
    const services = [...answers, ...reportedServices(workerReports)];
    const workers = workerReports.map(workerStatus);
    return { services, workers, canProcess: canProcess(services, workers, settings.packageManagers) };
  };
}

/** Never ends when all is well. */
async function emptyUnlessOk(status: Promise<ServiceStatus>): Promise<never[]> {
  return (await status).ok ? await new Promise<never>(() => undefined) : [];
}

async function ownStatus(name: OwnService, check: KeptResult<unknown>): Promise<ServiceStatus> {
  try {
    await withTimeout(check.get(), OWN_TIMEOUT_MS);
    return { name, ok: true, reason: null };
  } catch (error) {
    return { name, ok: false, reason: REASONS[name](error) };
  }
}

const REASONS: Record<OwnService, (error: unknown) => string> = {
  database: (error) => (isAway(error) ? 'database connection failed' : 'unknown error occurred'),
  queue: () => 'broker connection failed',
  // `ENOSPC: no space left on device`, without the path.
  storage: (error) =>
    /^E[A-Z]+: [^,]+/.exec(error instanceof Error ? error.message : '')?.[0] ??
    (isAway(error) ? 'connection failed' : 'unknown error occurred'),
};

/** Nobody answers: no connection, or nothing comes over it. */
function isAway(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (
    error instanceof BlobStoreUnavailableError ||
    isConnectionLost(error) ||
    /^E[A-Z]+$/.test(String(code)) ||
    /^no answer within/.test(String(message))
  );
}

/** Asks the workers and waits until all that live have answered, or for as long as there is time. */
async function reportsOfWorkers(
  sql: Database['sql'],
  hub: Pick<EventHub, 'follow'>,
): Promise<WorkerReport[]> {
  await askForReports(sql);
  let reports: WorkerReport[] = [];
  const look = async (): Promise<true[]> => {
    reports = await listReports(sql);
    return reports.every(({ lives, hasReported }) => !lives || hasReported) ? [true] : [];
  };
  for await (const _ of hub.follow(REPORT_MADE, AbortSignal.timeout(REPORTS_TIMEOUT_MS), look)) break;
  return reports;
}

/** Workers may see different things: what one of them reaches is not down. */
function reportedServices(reports: readonly WorkerReport[]): ServiceStatus[] {
  const seen = reports.filter(({ lives }) => lives).flatMap(({ services }) => services);
  return WORKER_SERVICES.flatMap((name) => {
    const answers = seen.filter((service) => service.name === name);
    const best = answers.find(({ ok }) => ok) ?? answers[0];
    return best ? [best] : [];
  });
}

function workerStatus({ host, lives }: WorkerReport): ServiceStatus {
  const name = `stowage@${host}`;
  return { name, ok: lives, reason: lives ? null : 'Node did not respond to ping' };
}
