import type { FastifyRequest } from 'fastify';
import { NotFoundError } from '../../../../domain/errors.ts';
import { matchesAny } from '../../../downloads/conditional-request.ts';
import { REQUEST_VERSION, type RequestVersion } from '../operations/requests.ts';
import { renderedRequests } from '../rendered-requests.ts';
import { type CachitoRoute, ID, numberOf } from '../route.ts';
import { sendRendered } from '../send-rendered.ts';

/** cachito.md 1.8; clients that poll may ask with a condition. */
export const readRequest: CachitoRoute = {
  method: 'GET',
  path: `/requests/${ID}`,
  async handle(call, request, reply) {
    const number = numberOf(request);
    const { bundleRequestVersion } = await call.run(REQUEST_VERSION, { number });
    if (bundleRequestVersion === null) throw new NotFoundError(`There is no bundle request ${number}`);
    reply.headers({ etag: entityTag(bundleRequestVersion), 'cache-control': 'private, no-cache' });
    if (isKnown(request, bundleRequestVersion)) return reply.code(304).send();
    const [json] = await renderedRequests(call).of(call, 'verbose', [bundleRequestVersion]);
    if (json === undefined) throw new NotFoundError(`There is no bundle request ${number}`);
    return sendRendered(reply, json);
  },
};

/** Weak: links in the body begin with the name under which the client knows us. */
function entityTag({ number, version }: RequestVersion): string {
  return `W/"${number}-${version}"`;
}

function isKnown({ headers }: FastifyRequest, { number, version }: RequestVersion): boolean {
  const known = headers['if-none-match'];
  return known !== undefined && matchesAny(known, `"${number}-${version}"`, 'weak');
}
