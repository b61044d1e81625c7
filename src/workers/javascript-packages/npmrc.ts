import { posix } from 'node:path';
import type { ConfigurationFile } from '../../domain/bundles/bundle-file.ts';
import {
  registryAddress,
  registryAuth,
  registryUrl,
} from '../../domain/package-registries/registry-address.ts';
import { relativeToPackage } from '../ecosystems/registry-authority.ts';

/** The lines of `.npmrc` (prefetch.md 3.1) that name no registry (cachito.md 4.5). */
const OFFLINE = ['fetch-retries=5', 'fetch-retry-factor=2', 'strict-ssl=true'];

/** Takes the place of a `.npmrc` of the repository. */
export function offlineNpmrc(directory: string): ConfigurationFile {
  return npmrc(directory, OFFLINE);
}

/** The same for the per-request registry; `authority`: who signed its certificate, if that must be said. */
export function registryNpmrc(
  directory: string,
  kind: 'npm' | 'yarn',
  authority: ConfigurationFile | null,
): ConfigurationFile {
  return npmrc(directory, [
    `registry=${registryUrl(kind)}`,
    'email=noreply@domain.local',
    'always-auth=true',
    `${registryAddress(kind)}:_auth=${registryAuth(kind)}`,
    ...OFFLINE,
    ...(authority ? [`cafile="${relativeToPackage(directory, authority)}"`] : []),
  ]);
}

function npmrc(directory: string, lines: readonly string[]): ConfigurationFile {
  const content = lines.map((line) => `${line}\n`).join('');
  return { path: posix.join('app', directory, '.npmrc'), content: Buffer.from(content) };
}
