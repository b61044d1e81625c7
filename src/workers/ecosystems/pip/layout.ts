import type { ExpectedDigest } from '../../downloads/artifact-store.ts';
import { bundlePath, decoded, repositoryFolders } from '../bundle-layout.ts';

/** Where archives lie in the bundle (prefetch.md 5.1). */
export const PIP_DIRECTORY = 'deps/pip';
export const INDEX_PAGE = `${PIP_DIRECTORY}/index.html`;

/** `name`: as in the file's own name. */
export function indexFilePath(name: string, fileName: string): string {
  return bundlePath(PIP_DIRECTORY, [name, fileName]);
}

/** `<host>/<namespace…>/<repo>/<repo>-external-gitcommit-<sha>.tar.gz` */
export function gitArchivePath(url: string, commit: string): string {
  const folders = repositoryFolders(url);
  const repository = folders.length > 1 ? folders.at(-1)! : '';
  return bundlePath(PIP_DIRECTORY, [...folders, `${repository}-external-gitcommit-${commit}.tar.gz`]);
}

/** `external-<name>/<name>-external-<alg>-<digest><ext>`; pip knows a wheel only by its own name. */
export function urlArchivePath(
  name: string,
  { algorithm, hex }: ExpectedDigest,
  extension: string,
  url: string,
): string {
  const wheel = extension === '.whl' ? decoded(new URL(url).pathname.split('/').at(-1)!) : null;
  return bundlePath(PIP_DIRECTORY, [
    `external-${name}`,
    wheel ?? `${name}-external-${algorithm}-${hex}${extension}`,
  ]);
}
