import type { Settings } from '../config.ts';
import type { Database, Transaction } from '../database/database.ts';
import { countOldDeadJobs, deleteOldDeadJobs } from '../database/sql/dead-jobs.ts';
import { countForgettableAuditEntries, forgetAuditEntries } from '../database/sql/forget-audit-entries.ts';
import { countForgettableBuilds, forgetBuilds } from '../database/sql/forget-builds.ts';
import { countForgettableLogs, forgetLogs } from '../database/sql/forget-logs.ts';
import { countForgettableRequests, forgetRequests } from '../database/sql/forget-requests.ts';
import { countThinnedOutEvents, thinOutEvents } from '../database/sql/thin-out-events.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';

/** What is forgotten when it is old, and what of it stays however old it is: see each statement. */
export const RETENTION_RULES: readonly RetentionRule[] = [
  {
    name: 'requests',
    what: 'stale, failed and cancelled requests, with all that belongs to them',
    age: 'requestRetention',
    batch: 100,
    remove: counting(forgetRequests),
    count: countForgettableRequests,
  },
  {
    name: 'builds',
    what: 'builds with a newer one of the same version, whose image is not in the registry, and their logs',
    age: 'buildRetention',
    batch: 100,
    remove: counting(forgetBuilds),
    count: countForgettableBuilds,
  },
  {
    name: 'logs',
    what: 'logs of requests and builds that have ended',
    age: 'logRetention',
    batch: 100,
    remove: counting(forgetLogs),
    count: countForgettableLogs,
  },
  {
    name: 'events',
    what: 'events with a newer, likewise old one of the same type and subject',
    age: 'eventRetention',
    batch: 2_000,
    remove: async ({ sql }, before, limit) => {
      const { seen, removed } = await thinOutEvents(sql, before, limit);
      return { removed, isAll: seen < limit };
    },
    count: countThinnedOutEvents,
  },
  {
    name: 'audit-log',
    what: 'entries of the audit log',
    age: 'auditRetention',
    batch: 1_000,
    remove: counting(forgetAuditEntries),
    count: countForgettableAuditEntries,
  },
  {
    name: 'dead-jobs',
    what: 'jobs that failed for good',
    age: 'deadJobRetention',
    batch: 100,
    remove: counting(deleteOldDeadJobs),
    count: countOldDeadJobs,
  },
];

export interface RetentionRule {
  name: 'requests' | 'builds' | 'logs' | 'events' | 'audit-log' | 'dead-jobs';
  /** What goes, for people. */
  what: string;
  /** The setting that says from which age on, in seconds; null: never. */
  age: keyof Pick<
    Settings,
    | 'requestRetention'
    | 'buildRetention'
    | 'logRetention'
    | 'eventRetention'
    | 'auditRetention'
    | 'deadJobRetention'
  >;
  /** So much in one transaction: others wait for a few milliseconds at most. */
  batch: number;
  remove(tx: Transaction, before: Date, limit: number): Promise<{ removed: number; isAll: boolean }>;
  /** How much would go now. */
  count(sql: Database['sql'], before: Date): Promise<number>;
}

function counting(
  remove: (sql: SqlExecutor, before: Date, limit: number) => Promise<number>,
): RetentionRule['remove'] {
  return async ({ sql }, before, limit) => {
    const removed = await remove(sql, before, limit);
    return { removed, isAll: removed < limit };
  };
}
