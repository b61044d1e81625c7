import { storedOperation } from '../run-operation.ts';

export interface MetricsRow {
  number: number;
  finalState: string;
  finalStateReason: string;
  finishedAtExact: string;
  duration: number;
  timeInQueue: number;
}

export interface MetricsSummary {
  durationAverage: number | null;
  duration50: number | null;
  duration95: number | null;
  timeInQueueAverage: number | null;
  timeInQueue95: number | null;
  clientErrors: number;
  serverErrors: number;
  total: number;
  complete: number;
  failed: number;
}

/** The schema's `BundleRequestMetricsFilter`. */
export interface MetricsFilter {
  finishedSince?: string;
  finishedUntil?: string;
  errorOrigin?: string;
  errorType?: string;
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
