import { messageError } from '../errors.ts';
import type { FandoghRoute } from '../route.ts';
import { sendJson } from '../send-json.ts';

/** As the client writes it, and as others may tidy it up. */
const PATHS = ['//api/latest-version', '/api/latest-version', '/latest-version'] as const;

/** A newer version than the client's own makes it refuse to do anything (fandogh.md 3.1): there is none by default. */
export const readLatestVersion: FandoghRoute[] = PATHS.map((path) => ({
  method: 'GET',
  path,
  login: 'nobody',
  async handle({ settings }, _request, reply) {
    const version = settings.fandoghLatestVersion;
    if (version === null) throw messageError(404, 'There is no latest version');
    return sendJson(reply, 200, { latest_version: version });
  },
}));
