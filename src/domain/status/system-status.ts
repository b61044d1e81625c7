import { PACKAGE_MANAGERS, type PackageManager } from '../packages/package.ts';

/** A service or a worker (cachito.md 6.2); `reason` is there exactly when it is not ok. */
export interface ServiceStatus {
  name: string;
  ok: boolean;
  reason: string | null;
}

export interface SystemStatus {
  /** Our own ones, then git and those upstreams that workers have configured, each in the order below. */
  services: ServiceStatus[];
  /** By name. */
  workers: ServiceStatus[];
  /** Every enabled manager, in the order in which they are reported. */
  canProcess: { packageManager: PackageManager; ok: boolean }[];
}

/** What the gateway sees itself. */
const OWN_SERVICES = ['database', 'queue', 'storage'] as const;
/** What workers see. */
export const WORKER_SERVICES = ['git', 'npm-registry', 'pypi', 'go-proxy', 'rubygems'] as const;

export type OwnService = (typeof OWN_SERVICES)[number];
export type WorkerService = (typeof WORKER_SERVICES)[number];

/** The managers that can do nothing without an upstream; all need the other services. */
export const MANAGERS_OF_UPSTREAM: Record<Exclude<WorkerService, 'git'>, readonly PackageManager[]> = {
  'npm-registry': ['npm', 'yarn'],
  pypi: ['pip'],
  'go-proxy': ['gomod'],
  rubygems: ['rubygems'],
};

export function canProcess(
  services: readonly ServiceStatus[],
  workers: readonly ServiceStatus[],
  enabled: readonly PackageManager[],
): SystemStatus['canProcess'] {
  const down = new Set(services.filter((service) => !service.ok).map((service) => service.name));
  const isCommonUp =
    [...OWN_SERVICES, 'git'].every((name) => !down.has(name)) && workers.some(({ ok }) => ok);
  const isUpstreamDown = (manager: PackageManager): boolean =>
    Object.entries(MANAGERS_OF_UPSTREAM).some(
      ([name, managers]) => down.has(name) && managers.includes(manager),
    );
  return PACKAGE_MANAGERS.filter((manager) => enabled.includes(manager)).map((packageManager) => ({
    packageManager,
    ok: isCommonUp && !isUpstreamDown(packageManager),
  }));
}

/** Why nothing or not everything can be done, in one line; null: all is well. */
export function whyUnavailable({ services, workers }: SystemStatus): string | null {
  const down = services.find((service) => !service.ok);
  if (down) return `${down.name} unavailable: ${down.reason}`;
  return workers.some(({ ok }) => ok) ? null : 'no workers are available';
}
