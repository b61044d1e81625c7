import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DownloadedModule, GoSession } from './go-session.ts';
import { parseGoSum } from './go-sum.ts';
import { moduleKey } from './module-path.ts';
import type { RequestedModule } from './source-modules.ts';

/**
 * Adds what a go.sum in the copy of the source lacks: `go mod download` does not, and without it no build uses the
 * modules (prefetch.md 2.3). Go has checked the hashes against the checksum database.
 */
export async function completeSums(
  session: GoSession,
  module: RequestedModule,
  downloaded: readonly DownloadedModule[],
): Promise<void> {
  const path = join(session.directoryOf(module), 'go.sum');
  const text = await readFile(path, 'utf8').catch(() => '');
  const known = parseGoSum('go.sum', text);
  const lines = downloaded.flatMap((one) => {
    const { path: name, version, zipSum, modSum } = one;
    const key = moduleKey(one);
    return [
      ...(zipSum && !known.zips.has(key) ? [`${name} ${version} ${zipSum}\n`] : []),
      ...(modSum && !known.mods.has(key) ? [`${name} ${version}/go.mod ${modSum}\n`] : []),
    ];
  });
  if (lines.length === 0) return;
  const separator = text === '' || text.endsWith('\n') ? '' : '\n';
  await writeFile(path, `${text}${separator}${lines.join('')}`);
}
