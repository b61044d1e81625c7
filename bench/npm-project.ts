import type { DownloadServer } from './download-server.ts';

/** package.json and a lock file of version 3 that ask for these files. */
export function npmProject({ origin, files }: DownloadServer): Record<string, string> {
  const root = {
    name: 'bench',
    version: '1.0.0',
    dependencies: Object.fromEntries(files.map(({ name, version }) => [name, version])),
  };
  const packages: Record<string, object> = { '': root };
  for (const { name, version, path, sha512 } of files) {
    packages[`node_modules/${name}`] = {
      version,
      resolved: origin + path,
      integrity: `sha512-${Buffer.from(sha512, 'hex').toString('base64')}`,
      license: 'MIT',
    };
  }
  const lock = { name: 'bench', version: '1.0.0', lockfileVersion: 3, requires: true, packages };
  return { 'package.json': JSON.stringify(root), 'package-lock.json': JSON.stringify(lock, null, 2) };
}
