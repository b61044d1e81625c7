import { REQUEST_STATES } from '../../domain/bundle-requests/bundle-request.ts';
import { readGarbageAge } from '../../domain/database/sql/garbage-runs.ts';
import {
  JOB_STATES,
  type QueueStatistics,
  readQueueStatistics,
} from '../../domain/database/sql/queue-statistics.ts';
import { type Durations, readTallies, type Tallies } from '../../domain/database/sql/tallies.ts';
import { readWorkerTotals, type WorkerTotals } from '../../domain/database/sql/worker-totals.ts';
import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import { BUILD_STATES, hasEnded } from '../../domain/images/image-build.ts';
import { KeptResult } from '../../domain/kept-result.ts';
import { TASKS } from '../../domain/queue/tasks.ts';
import { counterFamilies, type MetricFamily } from './prometheus-text.ts';

/** As `duration_bucket` has them in migrations/0040-retention.sql. */
const DURATION_BOUNDS = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];

/** However often somebody scrapes, it is looked at once a second. */
const KEPT_MS = 1_000;

/** What the database knows of all processes together. Every gateway says the same: take the maximum, not the sum. */
export function databaseMetrics(sql: SqlExecutor): () => Promise<MetricFamily[]> {
  const known = new KeptResult(
    () =>
      Promise.all([
        readQueueStatistics(sql),
        readWorkerTotals(sql),
        readTallies(sql, 'bundle-request'),
        readTallies(sql, 'image-build'),
        readGarbageAge(sql),
      ]),
    KEPT_MS,
  );
  return async () => {
    const [jobs, workers, requests, builds, garbageAge] = await known.get();
    return [
      ...queueFamilies(jobs),
      ...workerFamilies(workers),
      garbageFamily(garbageAge),
      ...requestFamilies(requests),
      ...cachitoFamilies(requests),
      ...buildFamilies(builds),
    ];
  };
}

function queueFamilies(rows: readonly QueueStatistics[]): MetricFamily[] {
  // Each is there from the start, at zero, so that alerts can be written against it.
  const tasks = [...new Set<string>([...TASKS, ...rows.map((row) => row.task)])];
  const find = (task: string, state: string) => rows.find((row) => row.task === task && row.state === state);
  return [
    {
      name: 'stowage_queue_jobs',
      type: 'gauge',
      help: 'Jobs that are not done, by task and state.',
      samples: tasks.flatMap((task) =>
        JOB_STATES.map((state) => ({ labels: { task, state }, value: find(task, state)?.count ?? 0 })),
      ),
    },
    {
      name: 'stowage_queue_age_seconds',
      type: 'gauge',
      help: 'How long the oldest job has waited that could run now, by task.',
      samples: tasks.map((task) => ({ labels: { task }, value: find(task, 'ready')?.age ?? 0 })),
    },
  ];
}

function garbageFamily(age: number | null): MetricFamily {
  return {
    name: 'stowage_garbage_collection_age_seconds',
    type: 'gauge',
    help: 'How long ago a garbage collection was complete; not there before the first one.',
    samples: age === null ? [] : [{ value: age }],
  };
}

const HELP: Record<string, string> = {
  stowage_jobs_total: 'Jobs done, by task and outcome.',
  stowage_job_seconds_total: 'Seconds that jobs took, by task.',
  stowage_queue_renewals_total: 'Times that workers lost their queue and took it up again.',
  stowage_downloads_total: 'Files and documents downloaded.',
  stowage_download_failures_total: 'Downloads that failed for good.',
  stowage_download_retries_total: 'Attempts of downloads after the first.',
  stowage_download_bytes_total: 'Bytes of downloaded files and documents.',
  stowage_download_cache_hits_total: 'Files that were in the store already.',
  stowage_retention_removed_total: 'What was forgotten because of its age, by rule.',
};

function workerFamilies({ workers, slots, counters }: WorkerTotals): MetricFamily[] {
  return [
    { name: 'stowage_workers', type: 'gauge', help: 'Workers that live.', samples: [{ value: workers }] },
    {
      name: 'stowage_worker_slots',
      type: 'gauge',
      help: 'Jobs that the living workers take at a time.',
      samples: [{ value: slots }],
    },
    ...counterFamilies(counters, (name) => HELP[name] ?? 'Counted by the workers.'),
  ];
}

function requestFamilies({ states, durations }: Tallies): MetricFamily[] {
  return [
    {
      name: 'stowage_bundle_requests',
      type: 'gauge',
      help: 'Bundle requests by state.',
      samples: REQUEST_STATES.map((state) => ({ labels: { state }, value: countOf(states, state) })),
    },
    {
      name: 'stowage_bundle_request_duration_seconds',
      type: 'histogram',
      help: 'Time from the submission of a bundle request to its end, by state.',
      samples: REQUEST_STATES.filter((state) => state !== 'in_progress').flatMap((state) =>
        histogramSamples(
          state,
          durations.filter((row) => row.state === state),
        ),
      ),
    },
  ];
}

function buildFamilies({ states, durations }: Tallies): MetricFamily[] {
  return [
    {
      name: 'stowage_image_builds',
      type: 'gauge',
      help: 'Builds of images by state.',
      samples: BUILD_STATES.map((state) => ({ labels: { state }, value: countOf(states, state) })),
    },
    {
      name: 'stowage_image_build_duration_seconds',
      type: 'histogram',
      help: 'Time from the submission of a build, or its last retry, to its end, by state.',
      samples: BUILD_STATES.filter((state) => hasEnded({ state })).flatMap((state) =>
        histogramSamples(
          state,
          durations.filter((row) => row.state === state),
        ),
      ),
    },
  ];
}

/** Names that Cachito's dashboards know (cachito.md 1.16). It has no cancelled requests: they count as failed. */
function cachitoFamilies({ states, durations }: Tallies): MetricFamily[] {
  const counts = {
    complete: countOf(states, 'complete'),
    failed: countOf(states, 'failed') + countOf(states, 'cancelled'),
    in_progress: countOf(states, 'in_progress'),
    stale: countOf(states, 'stale'),
  };
  return [
    {
      name: 'cachito_requests_count',
      type: 'gauge',
      help: 'Requests by state, under the name that Cachito has for it.',
      samples: Object.entries(counts).map(([state, value]) => ({ labels: { state }, value })),
    },
    {
      name: 'cachito_request_duration_seconds',
      type: 'summary',
      help: 'Time from the submission of a request to its end, under the name that Cachito has for it.',
      samples: [
        { suffix: '_sum', value: durations.reduce((sum, row) => sum + row.seconds, 0) },
        { suffix: '_count', value: durations.reduce((sum, row) => sum + row.count, 0) },
      ],
    },
  ];
}

function histogramSamples(state: string, rows: readonly Durations[]): MetricFamily['samples'] {
  const total = rows.reduce((sum, row) => sum + row.count, 0);
  const upTo = (index: number): number =>
    rows.reduce((sum, row) => (row.bucket <= index ? sum + row.count : sum), 0);
  return [
    ...DURATION_BOUNDS.map((bound, index) => ({
      suffix: '_bucket',
      labels: { state, le: String(bound) },
      value: upTo(index),
    })),
    { suffix: '_bucket', labels: { state, le: '+Inf' }, value: total },
    { suffix: '_sum', labels: { state }, value: rows.reduce((sum, row) => sum + row.seconds, 0) },
    { suffix: '_count', labels: { state }, value: total },
  ];
}

function countOf(states: Tallies['states'], state: string): number {
  return states.find((one) => one.state === state)?.count ?? 0;
}
