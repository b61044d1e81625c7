import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import type { ConfigurationFile } from '../../domain/bundles/bundle-file.ts';
import type { Settings } from '../../domain/config.ts';

/** Where consumers find the CA that signed our own certificate, by who reads it (prefetch.md 3.1, 5.1). */
export const REGISTRY_CA = 'app/registry-ca.pem';
export const PACKAGE_INDEX_CA = 'app/package-index-ca.pem';

/**
 * The file for the registry form of a setup; null when the operator names none: then consumers trust our certificate
 * anyway.
 */
export async function registryAuthority(
  { registryCaFile }: Pick<Settings, 'registryCaFile'>,
  path: typeof REGISTRY_CA | typeof PACKAGE_INDEX_CA,
): Promise<ConfigurationFile | null> {
  return registryCaFile === null ? null : { path, content: await readFile(registryCaFile) };
}

/** As a file in a directory of the source names it. */
export function relativeToPackage(directory: string, { path }: ConfigurationFile): string {
  return posix.relative(posix.join('app', directory), path);
}
