import type { ServiceState, SystemState } from '../operations/status.ts';
import { nameOf } from './names.ts';

/** cachito.md 6.2 */
export function longStatus({ canProcess, services, workers }: SystemState): object {
  return {
    can_process: Object.fromEntries(canProcess.map(({ packageManager, ok }) => [nameOf(packageManager), ok])),
    services: services.map(serviceOf),
    workers: workers.map(serviceOf),
  };
}

export function shortStatus({ unavailable }: Pick<SystemState, 'unavailable'>): object {
  return unavailable === null ? { ok: true } : { ok: false, reason: unavailable };
}

function serviceOf({ name, ok, reason }: ServiceState): object {
  return { name, ok, ...(!ok && { reason }) };
}
