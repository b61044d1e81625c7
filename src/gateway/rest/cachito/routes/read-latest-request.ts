import { InvalidInputError, NotFoundError } from '../../../../domain/errors.ts';
import { isStorable } from '../../../../domain/storable-text.ts';
import { LATEST_REQUEST } from '../operations/requests.ts';
import { required } from '../parameters/query.ts';
import { requireRef } from '../parameters/request-filter.ts';
import { renderedRequests } from '../rendered-requests.ts';
import type { CachitoRoute } from '../route.ts';
import { sendRendered } from '../send-rendered.ts';

/** cachito.md 1.16 */
export const readLatestRequest: CachitoRoute = {
  method: 'GET',
  path: '/requests/latest',
  async handle(call, request, reply) {
    const [repositoryName, ref] = [required(request, 'repo_name'), required(request, 'ref')];
    requireRepositoryName(repositoryName);
    requireRef(ref);
    const { latestBundleRequest } = await call.run(LATEST_REQUEST, { repositoryName, ref });
    const [json] =
      latestBundleRequest === null
        ? []
        : await renderedRequests(call).of(call, 'short', [latestBundleRequest]);
    if (json === undefined) throw new NotFoundError(`There is no request for ${repositoryName} at ${ref}`);
    sendRendered(reply, json);
  },
};

/** The path of a URL, without its scheme and host; or an scp-like address. */
function requireRepositoryName(name: string): void {
  const isName =
    name.length >= 3 &&
    name.length <= 200 &&
    /^.*\/[\p{L}\p{N}_.-]+$/u.test(name) &&
    !name.includes('://') &&
    isStorable(name);
  if (!isName) throw new InvalidInputError(`${name} is not a valid repo_name.`);
}
