import { imageNameOf } from '../parameters/path.ts';
import { stateFilterOf } from '../parameters/query.ts';
import { versionsOf } from '../published.ts';
import type { FandoghRoute } from '../route.ts';
import { sendJson } from '../send-json.ts';
import { versionShape } from '../shapes/images.ts';

/** fandogh.md 1.7. */
export const listVersions: FandoghRoute = {
  method: 'GET',
  path: '/images/:name/versions',
  async handle(call, request, reply) {
    const states = stateFilterOf(request);
    return sendJson(reply, 200, (await versionsOf(call, imageNameOf(request), states)).map(versionShape));
  },
};
