import { getRequest } from '../../../../domain/bundle-requests/find.ts';
import { NotFoundError } from '../../../../domain/errors.ts';
import { openLog } from '../../../../domain/logs/stream-log.ts';
import { sendLog } from '../../../downloads/send-log.ts';
import { GoneError } from '../errors.ts';
import { type CachitoRoute, ID, numberOf } from '../route.ts';
import { cachitoLogLine } from '../shapes/log-line.ts';

/** cachito.md 6.1 */
export const readLogs: CachitoRoute = {
  method: 'GET',
  path: `/requests/${ID}/logs`,
  async handle({ database, blobs, principal }, request, reply) {
    const { id, state } = await getRequest(database, principal, numberOf(request));
    const log = await openLog(database, blobs, { subjectType: 'bundle-request', subjectId: id });
    if (log.total === 0 && state === 'stale') {
      throw new GoneError(`The logs for the Cachito request ${id} no longer exist`);
    }
    if (log.total === 0 && state !== 'in_progress') throw new NotFoundError(`Request ${id} has no log`);
    await sendLog(request, reply, log, 0, cachitoLogLine);
  },
};
