import type { MetricsSummary } from '../../../../domain/database/sql/request-metrics.ts';
import type { MetricsRow } from '../operations/metrics.ts';
import { stateOf, timestampOf } from './names.ts';

/** An item of `/request-metrics` (cachito.md 1.16). */
export function requestMetrics(row: MetricsRow): object {
  return {
    id: row.number,
    final_state: stateOf(row.finalState),
    final_state_reason: row.finalStateReason,
    finished: timestampOf(row.finishedAtExact),
    duration: row.duration,
    time_in_queue: row.timeInQueue,
  };
}

export function metricsSummary(summary: MetricsSummary): object {
  return {
    duration_avg: summary.durationAverage,
    duration_50: summary.duration50,
    duration_95: summary.duration95,
    time_in_queue_avg: summary.timeInQueueAverage,
    time_in_queue_95: summary.timeInQueue95,
    client_errors: summary.clientErrors,
    server_errors: summary.serverErrors,
    total: summary.total,
    complete: summary.complete,
    failed: summary.failed,
  };
}
