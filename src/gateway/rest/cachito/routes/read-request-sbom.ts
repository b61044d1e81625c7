import { getRequest } from '../../../../domain/bundle-requests/find.ts';
import { ArchiveLayouts } from '../../../downloads/archive-layouts.ts';
import { openSbom, requireComplete } from '../../../downloads/documents.ts';
import { sendRepresentation } from '../../../downloads/send-representation.ts';
import { parameter } from '../parameters/query.ts';
import { type CachitoRoute, ID, numberOf } from '../route.ts';

/** The whole SBOM of one request, as its native download gives it (prefetch.md 13.2). */
export const readRequestSbom: CachitoRoute = {
  method: 'GET',
  path: `/requests/${ID}/sbom`,
  async handle({ database, blobs, principal }, request, reply) {
    const bundleRequest = await getRequest(database, principal, numberOf(request));
    requireComplete(bundleRequest);
    const context = { database, blobs, layouts: ArchiveLayouts.of(database, blobs) };
    const format = parameter(request, 'format');
    await sendRepresentation(request, reply, await openSbom(context, bundleRequest, format));
  },
};
