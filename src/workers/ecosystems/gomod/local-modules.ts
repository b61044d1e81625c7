import { posix } from 'node:path';
import { InvalidRequestData } from '../../../domain/errors.ts';
import type { Dependency } from '../../../domain/packages/package.ts';
import type { ResolveContext } from '../ecosystem.ts';
import { type ResolvedModule, report } from './report.ts';

/**
 * A module in a directory above must be part of the request, or nobody could say what it is (prefetch.md 2.1). The own
 * interface describes such modules by their place in the source.
 */
export function assertLocalModules({ request }: ResolveContext, resolved: readonly ResolvedModule[]): void {
  if (request.rules !== 'cachito') return;
  const names = resolved.map(({ name }) => name);
  for (const one of resolved) {
    const [module] = report(one);
    for (const dependency of module!.dependencies) {
      if (!dependency.version?.startsWith('..')) continue;
      const place = posix.normalize(posix.join(one.name, dependency.version)).replace(/\/$/, '');
      if (names.some((name) => contains(name, dependency.name) || contains(name, place))) continue;
      throw missingModule(one.name, dependency);
    }
  }
}

function contains(module: string, path: string): boolean {
  return path === module || path.startsWith(`${module}/`);
}

/** The dependency in the form of a Python dictionary, as clients know it. */
function missingModule(packageName: string, { type, name, version }: Dependency): InvalidRequestData {
  const shown = `{'type': '${type}', 'name': '${name}', 'version': '${version}', 'replaces': None}`;
  return new InvalidRequestData(
    'package-rejected',
    `Could not find a Go module in this request containing ${name} while processing dependency ${shown} of package ${packageName}. ` +
      `Please tell Cachito to process the module which contains the dependency. Perhaps the parent module of ${packageName}?`,
  );
}
