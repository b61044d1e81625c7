import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { UnsupportedFeature, ValidationError } from '../../../domain/errors.ts';
import type { ResolveContext } from '../ecosystem.ts';
import { changedDirectory, type Difference } from './changed-source.ts';
import type { GoSession } from './go-session.ts';
import type { ModuleVersion } from './module-path.ts';
import type { RequestedModule } from './source-modules.ts';
import { parseVendorModules } from './vendor-modules.ts';

/** Whether the request asks for vendored modules instead of a module cache (cachito.md 3.4). */
export function isVendoring({ request }: ResolveContext): boolean {
  return request.flags.has('gomod-vendor') || request.flags.has('gomod-vendor-check');
}

/** Operators may insist that a source with a vendor directory is asked for as such (cachito.md 7, strict vendor). */
export function assertVendoringAsked(context: ResolveContext, modules: readonly RequestedModule[]): void {
  if (!context.settings.gomodStrictVendor || isVendoring(context)) return;
  const vendored = modules.filter(
    ({ directory }) => context.source.children(posix.join(directory, 'vendor')).length > 0,
  );
  if (vendored.length === 0) return;
  throw new ValidationError(
    'package-rejected',
    'The "gomod-vendor" or "gomod-vendor-check" flag must be set when your repository has vendored dependencies.',
    { details: { paths: vendored.map(({ directory }) => directory) } },
  );
}

/** Writes vendor/ in the copy of the source; in check mode nothing of an existing one may differ (prefetch.md 2.1). */
export async function vendor(
  context: ResolveContext,
  session: GoSession,
  module: RequestedModule,
): Promise<{ modules: ModuleVersion[]; difference: Difference }> {
  if (module.workspace) {
    throw new UnsupportedFeature(
      'unsupported-feature',
      'Workspace vendoring introduced in Go 1.22 is not supported',
    );
  }
  const directory = posix.join(module.directory, 'vendor');
  const existed = context.source.children(directory).length > 0;
  await session.run(module, ['mod', 'vendor']);
  const difference = await changedDirectory(context, session.sourceDirectory, directory);
  if (existed) reportDrift(context, difference);
  const list = join(session.sourceDirectory, directory, 'modules.txt');
  // Without dependencies there is nothing to vendor.
  const modules = parseVendorModules(await readFile(list, 'utf8').catch(() => ''));
  return { modules, difference };
}

const LOGGED = 50;

function reportDrift({ request, log }: ResolveContext, { written, removed }: Difference): void {
  const differing = [...written, ...removed].sort();
  if (differing.length === 0) return;
  for (const path of differing.slice(0, LOGGED)) log.warn(`gomod: ${path} is not what go mod vendor writes`);
  if (differing.length > LOGGED) log.warn(`gomod: ${differing.length - LOGGED} more files differ`);
  if (!request.flags.has('gomod-vendor-check')) return;
  throw new ValidationError(
    'package-rejected',
    'The content of the vendor directory is not consistent with go.mod. Run `go mod vendor` locally to fix this problem. See the logs for more details.',
    { details: { files: differing.slice(0, LOGGED) } },
  );
}
