import { getRequest } from '../../../../domain/bundle-requests/find.ts';
import { DomainError, InvalidInputError } from '../../../../domain/errors.ts';
import { ArchiveLayouts } from '../../../downloads/archive-layouts.ts';
import { DamagedBundleError, openBundleArchive } from '../../../downloads/documents.ts';
import type { Representation } from '../../../downloads/representation.ts';
import { sendRepresentation } from '../../../downloads/send-representation.ts';
import { BrokenStateError } from '../errors.ts';
import { type CachitoCall, type CachitoRoute, ID, numberOf } from '../route.ts';

/** cachito.md 1.13 */
export const downloadArchive: CachitoRoute = {
  method: 'GET',
  path: `/requests/${ID}/download`,
  async handle(call, request, reply) {
    await sendRepresentation(request, reply, await archiveOf(call, numberOf(request)));
  },
};

async function archiveOf(call: CachitoCall, number: number): Promise<Representation> {
  const { database, blobs } = call;
  const request = await getRequest(database, call.principal, number);
  if (request.state !== 'complete') {
    throw new InvalidInputError('The request must be in the "complete" state before downloading the archive');
  }
  if (request.bundleDigest === null) {
    throw new DomainError('internal', `The request ${number} was completed without a bundle`);
  }
  try {
    const layouts = ArchiveLayouts.of(database, blobs);
    return {
      ...(await openBundleArchive({ database, blobs, layouts }, request)),
      lastModified: request.finishedAt!,
      headers: {
        'content-disposition': `attachment; filename=cachito-${number}.tar.gz`,
        'cache-control': 'no-cache',
      },
    };
  } catch (cause) {
    if (!(cause instanceof DamagedBundleError)) throw cause;
    throw new BrokenStateError(`Checksum of bundle archive ${number}.tar.gz has changed.`, { cause });
  }
}
