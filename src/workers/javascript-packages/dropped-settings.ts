import { posix } from 'node:path';
import type { ResolveContext } from '../ecosystems/ecosystem.ts';
import { isFile, readCapped } from '../ecosystems/source-files.ts';

/** Says in the log which settings of the repository are lost, for ours take their place (prefetch.md 3.1). */
export async function logDroppedSettings(
  { source, log, settings }: Pick<ResolveContext, 'source' | 'log' | 'settings'>,
  manager: 'npm' | 'yarn',
  directory: string,
  fileNames: readonly string[],
): Promise<void> {
  for (const path of fileNames.map((name) => posix.join(directory, name))) {
    if (!isFile(source, path)) continue;
    const lines = describeSettings(await readCapped(source, path, settings.limits.lockFileBytes));
    log.warn(`${manager}: ${path} of the repository is not used; its lines are dropped: ${lines.join(', ')}`);
  }
}

/** The lines of a `.npmrc` or `.yarnrc`, without their values: those may be secrets. */
function describeSettings(content: Buffer): string[] {
  return content
    .toString('utf8')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith(';'))
    .map((line) => {
      const name = /^[^\s=]*(?=\s*[\s=])/.exec(line)?.[0];
      return name === undefined ? '***' : `${name}=***`;
    });
}
