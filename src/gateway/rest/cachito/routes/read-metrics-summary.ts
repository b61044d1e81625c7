import { METRICS_SUMMARY } from '../operations/metrics.ts';
import { required } from '../parameters/query.ts';
import { timeRangeOf } from '../parameters/time-range.ts';
import type { CachitoRoute } from '../route.ts';
import { sendJson } from '../send-json.ts';
import { metricsSummary } from '../shapes/metrics.ts';

/** cachito.md 1.16 */
export const readMetricsSummary: CachitoRoute = {
  method: 'GET',
  path: '/request-metrics/summary',
  async handle(call, request, reply) {
    required(request, 'finished_from');
    required(request, 'finished_to');
    const { since, until } = timeRangeOf(request, 'finished_from', 'finished_to');
    const filter = { finishedSince: since!, finishedUntil: until! };
    const { bundleRequestMetricsSummary } = await call.run(METRICS_SUMMARY, { filter });
    sendJson(reply, 200, metricsSummary(bundleRequestMetricsSummary));
  },
};
