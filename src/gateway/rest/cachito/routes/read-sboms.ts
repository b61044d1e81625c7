import { type ReportedComponent, uniqueComponents } from '../../../../domain/bundles/reported-components.ts';
import { InvalidInputError } from '../../../../domain/errors.ts';
import { REPORTED_COMPONENTS } from '../operations/manifests.ts';
import { batchesOf, requestsNamedBy } from '../parameters/request-numbers.ts';
import type { CachitoRoute } from '../route.ts';
import { sendJson } from '../send-json.ts';
import { stateOf } from '../shapes/names.ts';
import { shortSbom } from '../shapes/sbom.ts';

/** cachito.md 5.5 */
export const readSboms: CachitoRoute = {
  method: 'GET',
  path: '/sbom',
  async handle(call, request, reply) {
    const rows = await requestsNamedBy(call, request);
    const incomplete = rows.filter(({ state }) => stateOf(state) !== 'complete');
    if (incomplete.length > 0) {
      throw new InvalidInputError(
        incomplete
          .map(
            ({ number, state }) => `Request ${number} is in state ${stateOf(state)}, not in {'complete'}.\n`,
          )
          .join(''),
      );
    }
    let components: ReportedComponent[] = [];
    for (const numbers of batchesOf(
      rows.map(({ number }) => number),
      BATCH,
    )) {
      const { bundleRequestsByNumber } = await call.run(REPORTED_COMPONENTS, { numbers });
      const more = bundleRequestsByNumber.flatMap(({ reportedComponents }) => reportedComponents);
      components = uniqueComponents([...components, ...more]);
    }
    sendJson(reply, 200, shortSbom(components));
  },
};

/** So many reports are read at a time. */
const BATCH = 8;
