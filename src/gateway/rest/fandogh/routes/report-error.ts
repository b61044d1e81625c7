import { bodyObject } from '../request-body.ts';
import type { FandoghRoute } from '../route.ts';
import { sendJson } from '../send-json.ts';

/** What went wrong in a client, told by it (fandogh.md 4). It may hold anything, so that the log gets little of it. */
export const reportError: FandoghRoute = {
  method: 'POST',
  path: '/errors',
  login: 'nobody',
  async handle(_call, request, reply) {
    const { cli_version: version, cmd } = bodyObject(request);
    request.log.info({ version: shortened(version), command: shortened(cmd) }, 'a client reports an error');
    return sendJson(reply, 200, 'OK');
  },
};

const LONGEST = 100;

function shortened(value: unknown): string | null {
  return typeof value === 'string' ? value.slice(0, LONGEST) : null;
}
