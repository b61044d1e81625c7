import { findRequestMetrics, summariseRequestMetrics } from '../../../domain/bundle-requests/find.ts';
import type { MetricsSummary, RequestMetrics } from '../../../domain/database/sql/request-metrics.ts';
import { builder } from '../builder.ts';
import { PAGE_SIZES } from '../connections.ts';
import { RequestStateEnum } from './enums.ts';
import { complexityOfPage } from './pages.ts';

const RequestMetricsRef = builder.objectRef<RequestMetrics>('BundleRequestMetrics').implement({
  description: 'How long one request took, in seconds.',
  fields: (t) => ({
    number: t.int({ nullable: false, resolve: ({ id }) => id }),
    finalState: t.expose('finalState', {
      type: RequestStateEnum,
      nullable: false,
      description: 'In which it ended; it may be stale by now.',
    }),
    finalStateReason: t.exposeString('finalStateReason', { nullable: false }),
    finishedAtExact: t.expose('finishedAtExact', { type: 'ExactDateTime', nullable: false }),
    duration: t.exposeFloat('duration', {
      nullable: false,
      description: 'From its first state to the final one.',
    }),
    timeInQueue: t.exposeFloat('timeInQueue', {
      nullable: false,
      description: 'From its first state to the second one.',
    }),
  }),
});

const MetricsPageRef = builder
  .objectRef<{ items: RequestMetrics[]; total: number }>('BundleRequestMetricsPage')
  .implement({
    fields: (t) => ({
      items: t.expose('items', { type: [RequestMetricsRef], nullable: false }),
      total: t.exposeInt('total', { nullable: false, description: 'Of all pages.' }),
    }),
  });

const SummaryRef = builder.objectRef<MetricsSummary>('BundleRequestMetricsSummary').implement({
  description: 'Durations in seconds; null when no request ended.',
  fields: (t) => ({
    durationAverage: t.exposeFloat('durationAverage'),
    duration50: t.exposeFloat('duration50', { description: '50th percentile.' }),
    duration95: t.exposeFloat('duration95', { description: '95th percentile.' }),
    timeInQueueAverage: t.exposeFloat('timeInQueueAverage'),
    timeInQueue95: t.exposeFloat('timeInQueue95'),
    clientErrors: t.exposeInt('clientErrors', { nullable: false }),
    serverErrors: t.exposeInt('serverErrors', { nullable: false }),
    total: t.exposeInt('total', { nullable: false }),
    complete: t.exposeInt('complete', { nullable: false }),
    failed: t.exposeInt('failed', { nullable: false, description: 'Cancelled ones too.' }),
  }),
});

const MetricsFilterInput = builder.inputType('BundleRequestMetricsFilter', {
  description: 'All of what is given must hold.',
  fields: (t) => ({
    finishedSince: t.field({ type: 'ExactDateTime', description: 'Inclusive.' }),
    finishedUntil: t.field({ type: 'ExactDateTime', description: 'Inclusive.' }),
    errorOrigin: t.string({ description: 'Of the recorded error: `client` or `server`.' }),
    errorType: t.string({ description: "Cachito's name of the recorded error." }),
  }),
});

builder.queryFields((t) => ({
  bundleRequestMetrics: t.field({
    type: MetricsPageRef,
    nullable: false,
    description: 'Requests that have ended, newest first.',
    complexity: complexityOfPage,
    args: {
      page: t.arg.int({ required: true, description: 'From 1.' }),
      perPage: t.arg.int({ required: true, defaultValue: PAGE_SIZES.defaultSize }),
      filter: t.arg({ type: MetricsFilterInput }),
    },
    resolve: (_root, { page, perPage, filter }, { database, principal }) =>
      findRequestMetrics(database, principal, filter ?? {}, { page, perPage }),
  }),
  bundleRequestMetricsSummary: t.field({
    type: SummaryRef,
    nullable: false,
    complexity: 50,
    args: { filter: t.arg({ type: MetricsFilterInput }) },
    resolve: (_root, { filter }, { database, principal }) =>
      summariseRequestMetrics(database, principal, filter ?? {}),
  }),
}));
