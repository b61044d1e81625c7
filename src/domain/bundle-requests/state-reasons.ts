import type { Principal } from '../identity/principal.ts';
import type { PackageManager } from '../packages/package.ts';
import type { BundleRequest, BundleRequestStep } from './bundle-request.ts';

/**
 * Reasons that a request shows while it is in progress (cachito.md 2.2). Package managers work side by side, but their
 * reasons are recorded in this fixed order: a manager's last reason comes when it has finished, and the next manager's
 * first one only then.
 */
export const INITIAL_REASON = 'The request was initiated';
export const SUCCESS_REASON = 'Completed successfully';
export const FETCHING_SOURCE = 'Fetching the application source';
export const ASSEMBLING = 'Assembling the bundle archive';
export const AGGREGATING = 'Aggregating packages data';
export const EXPIRED_REASON = 'The request has expired';

/** In which the contract's workers went through the package managers; results are reported in another order. */
const ORDER: readonly PackageManager[] = ['gomod', 'npm', 'pip', 'rubygems', 'git-submodule', 'yarn'];

/** What somebody did with the request. */
export function reasonOf(action: 'cancelled' | 'retried', principal: Principal): string {
  return `The request was ${action}${principal.name === null ? '' : ` by ${principal.name}`}`;
}

/** The reasons that are due by now, from the first one after the source. */
export function dueReasons(request: BundleRequest, steps: readonly BundleRequestStep[]): string[] {
  const reasons: string[] = [];
  for (const manager of ORDER) {
    const step = steps.find((candidate) => candidate.packageManager === manager);
    if (!step || step.isIdle) continue;
    if (step.state === 'waiting' || step.state === 'queued') return reasons;
    const paths = (request.packages[manager] ?? []).map((options) => options.path);
    reasons.push(...startReasons(manager, paths.length > 0 ? paths : ['.']));
    if (step.state !== 'succeeded') return reasons;
    reasons.push(...endReasons(manager));
  }
  return reasons;
}

function startReasons(manager: PackageManager, paths: readonly string[]): string[] {
  switch (manager) {
    case 'gomod':
      return paths.map((path) => `Fetching the gomod dependencies at the "${path}" directory`);
    case 'npm':
      // The stray quote at the end is what clients know.
      return [
        'Configuring Nexus for npm',
        ...paths.map((path) => `Fetching the npm dependencies at the "${path}" directory"`),
      ];
    case 'yarn':
      return [
        'Configuring Nexus for yarn',
        ...paths.map((path) => `Fetching the yarn dependencies at the "${path}" directory`),
      ];
    case 'pip':
    case 'rubygems':
      return [
        `Configuring Nexus for ${title(manager)}`,
        ...paths.map((path) => `Fetching dependencies at the '${path}' directory`),
      ];
    case 'git-submodule':
      return [];
  }
}

function endReasons(manager: PackageManager): string[] {
  if (manager === 'gomod' || manager === 'git-submodule') return [];
  return [`Finalizing the Nexus configuration for ${title(manager)}`];
}

function title(manager: PackageManager): string {
  return manager === 'rubygems' ? 'RubyGems' : manager;
}
