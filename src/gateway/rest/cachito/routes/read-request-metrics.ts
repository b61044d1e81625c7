import { METRICS_PAGE } from '../operations/metrics.ts';
import { errorFilterOf } from '../parameters/error-filter.ts';
import { noSuchPage, pagingOf } from '../parameters/paging.ts';
import { timeRangeOf } from '../parameters/time-range.ts';
import type { CachitoRoute } from '../route.ts';
import { sendJson } from '../send-json.ts';
import { requestMetrics } from '../shapes/metrics.ts';
import { type AskedPage, isPageOf, pageMeta } from '../shapes/page-meta.ts';

const DEFAULT_PER_PAGE = 20;

/** cachito.md 1.16 */
export const readRequestMetrics: CachitoRoute = {
  method: 'GET',
  path: '/request-metrics',
  async handle(call, request, reply) {
    const { since, until, linkParameters } = timeRangeOf(request, 'finished_from', 'finished_to');
    const errors = errorFilterOf(request);
    const paging = pagingOf(call, request, DEFAULT_PER_PAGE);
    const filter = {
      ...(since !== null && { finishedSince: since }),
      ...(until !== null && { finishedUntil: until }),
      ...errors.filter,
    };
    const { bundleRequestMetrics } = await call.run(METRICS_PAGE, { ...paging, filter });
    const { items, total } = bundleRequestMetrics;
    const asked: AskedPage = {
      ...paging,
      url: `${call.baseUrl}/api/v1/request-metrics`,
      parameters: [...linkParameters, ...errors.linkParameters],
    };
    if (!isPageOf(asked, total)) throw noSuchPage(asked.page);
    sendJson(reply, 200, { items: items.map(requestMetrics), meta: pageMeta(asked, total) });
  },
};
