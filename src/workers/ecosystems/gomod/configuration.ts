import { posix } from 'node:path';
import type { EnvironmentVariable } from '../../../domain/bundles/bundle-file.ts';
import { GOMOD_DIRECTORY, MODULE_CACHE } from './layout.ts';
import type { RequestedModule } from './source-modules.ts';

/** How go finds the bundle's modules (prefetch.md 2.1): they lie in its download cache, so no registry is needed. */
export const ENVIRONMENT: readonly EnvironmentVariable[] = [
  { name: 'GOCACHE', value: GOMOD_DIRECTORY, kind: 'path' },
  { name: 'GOPATH', value: GOMOD_DIRECTORY, kind: 'path' },
  { name: 'GOMODCACHE', value: MODULE_CACHE, kind: 'path' },
  { name: 'GOSUMDB', value: 'off', kind: 'literal' },
];

/** Without any network (prefetch.md 2.3; cachito.md 4.5). */
const OFFLINE_ENVIRONMENT: readonly EnvironmentVariable[] = [
  ...ENVIRONMENT,
  { name: 'GOPROXY', value: 'off', kind: 'literal' },
  { name: 'GOTOOLCHAIN', value: 'local', kind: 'literal' },
];

/** GOWORK is set when all modules of the request are of one workspace, or when none is although there are some. */
export function offlineEnvironment(modules: readonly RequestedModule[]): EnvironmentVariable[] {
  if (modules.every(({ workspace }) => workspace === null) && modules.some(({ isLeftOut }) => isLeftOut)) {
    return [...OFFLINE_ENVIRONMENT, { name: 'GOWORK', value: 'off', kind: 'literal' }];
  }
  const [first] = modules;
  const workspace = first?.workspace ?? null;
  const isShared =
    workspace && modules.every((module) => module.workspace?.directory === workspace.directory);
  if (!isShared) return [...OFFLINE_ENVIRONMENT];
  const path = posix.join('app', workspace.directory, 'go.work');
  return [...OFFLINE_ENVIRONMENT, { name: 'GOWORK', value: path, kind: 'path' }];
}
