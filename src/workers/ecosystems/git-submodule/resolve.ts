import { withoutCredentials } from '../../../domain/sources/public-url.ts';
import type { Resolution, ResolveContext } from '../ecosystem.ts';
import { submoduleComponents } from './components.ts';
import { readSubmodules } from './submodules.ts';

/**
 * Reports the submodules (prefetch.md 6). Their files are part of the source: `fetch-source` has brought them, one level
 * deep (cachito.md 4.2).
 */
export async function resolve({ source, request, log, progress }: ResolveContext): Promise<Resolution> {
  const submodules = (await readSubmodules(source, request.repository)).map((submodule) => ({
    ...submodule,
    url: withoutCredentials(submodule.url),
  }));
  for (const { path, url, commit } of submodules) log.info(`git-submodule: ${path} is ${url} at ${commit}`);
  progress.add({ packages: submodules.length });
  return {
    packages: submodules.map(({ name, url, commit, path }) => ({
      type: 'git-submodule',
      name,
      version: `${url}#${commit}`,
      path,
      dependencies: [],
    })),
    files: [],
    directories: [],
    sourceChanges: [],
    offline: { environment: [], configurationFiles: [] },
    registry: { environment: [], configurationFiles: [] },
    components: submoduleComponents(submodules),
    tools: {},
  };
}
