import type {
  MetricsFilter,
  MetricsSummary,
  RequestMetrics,
} from '../../../../domain/database/sql/request-metrics.ts';
import { storedOperation } from '../../../graphql/run-operation.ts';

export interface MetricsRow extends Omit<RequestMetrics, 'id' | 'finalState'> {
  number: number;
  /** The schema's `BundleRequestState`. */
  finalState: string;
}

export const METRICS_PAGE = storedOperation<
  { bundleRequestMetrics: { total: number; items: MetricsRow[] } },
  { page: number; perPage: number; filter: MetricsFilter }
>(`query CachitoMetricsPage(
  $page: Int!, $perPage: Int!, $filter: BundleRequestMetricsFilter
) {
  bundleRequestMetrics(page: $page, perPage: $perPage, filter: $filter) {
    total
    items { number finalState finalStateReason finishedAtExact duration timeInQueue }
  }
}`);

export const METRICS_SUMMARY = storedOperation<
  { bundleRequestMetricsSummary: MetricsSummary },
  { filter: MetricsFilter }
>(`query CachitoMetricsSummary($filter: BundleRequestMetricsFilter) {
  bundleRequestMetricsSummary(filter: $filter) {
    durationAverage duration50 duration95 timeInQueueAverage timeInQueue95
    clientErrors serverErrors total complete failed
  }
}`);
