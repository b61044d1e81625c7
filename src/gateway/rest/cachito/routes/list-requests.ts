import { REQUEST_PAGE, type RequestVersion } from '../operations/requests.ts';
import { noSuchPage, pagingOf } from '../parameters/paging.ts';
import { askedRequestsOf } from '../parameters/request-filter.ts';
import { batchesOf } from '../parameters/request-numbers.ts';
import { renderedRequests } from '../rendered-requests.ts';
import type { CachitoCall, CachitoRoute } from '../route.ts';
import { sendRenderedList, streamRenderedList } from '../send-rendered.ts';
import { type AskedPage, isPageOf, pageMeta } from '../shapes/page-meta.ts';

const DEFAULT_PER_PAGE = 10;
/** Reports can be large: so many are in memory at a time. */
const VERBOSE_BATCH = 4;

/** cachito.md 1.5 */
export const listRequests: CachitoRoute = {
  method: 'GET',
  path: '/requests',
  async handle(call, request, reply) {
    const { filter, verbose, linkParameters } = askedRequestsOf(request);
    const paging = pagingOf(call, request, DEFAULT_PER_PAGE);
    const { bundleRequestPage } = await call.run(REQUEST_PAGE, { ...paging, filter });
    const { versions, total } = bundleRequestPage;
    const asked: AskedPage = {
      ...paging,
      url: `${call.baseUrl}/api/v1/requests`,
      parameters: linkParameters,
    };
    if (!isPageOf(asked, total)) throw noSuchPage(asked.page);
    const meta = pageMeta(asked, total);
    if (verbose) streamRenderedList(reply, verboseItems(call, versions), meta);
    else sendRenderedList(reply, await renderedRequests(call).of(call, 'short', versions), meta);
  },
};

async function* verboseItems(call: CachitoCall, rows: readonly RequestVersion[]): AsyncGenerator<Buffer> {
  for (const batch of batchesOf(rows, VERBOSE_BATCH)) {
    yield* await renderedRequests(call).of(call, 'verbose', batch);
  }
}
