import type { Logger } from 'pino';
import type { Settings } from '../domain/config.ts';
import type { Database } from '../domain/database/database.ts';
import type { EventHub } from '../domain/events/event-hub.ts';
import type { BlobStore } from '../domain/storage/blob-store.ts';
import type { Tracing } from '../domain/tracing/tracing.ts';
import type { ImageBuilding } from './builders/image-building.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

/** What every task of a worker process shares. */
export interface WorkerContext {
  settings: Settings;
  database: Database;
  blobs: BlobStore;
  hub: EventHub;
  logger: Logger;
  /** Identity of this process in the `workers` table; a new one at each start. */
  workerId: string;
  /** Holds one directory for each running step; removed when the worker stops. */
  temporaryRoot: string;
  metrics: WorkerMetrics;
  /** Absent: by the settings. */
  imageBuilding?: ImageBuilding;
  /** Absent, null: traces are off. */
  tracing?: Tracing | null;
  /** Aborted when the worker must let go of what it does. */
  shutdown: AbortSignal;
}
