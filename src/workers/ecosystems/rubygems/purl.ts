import { posix } from 'node:path';
import {
  type PurlIdentity,
  packagePurl,
  type SourceLocation,
  sourcePurl,
  vcsQualifier,
} from '../package-purl.ts';
import type { Classified } from './classify.ts';

/** `pkg:gem/<name>@<version>` */
export function gem(name: string, version: string | null): PurlIdentity {
  return { type: 'gem', name, version };
}

/** `directory`: of the package that has the dependency. */
export function dependencyPurl(dependency: Classified, source: SourceLocation, directory: string): string {
  const { name, version, platform } = dependency.spec;
  const identity = gem(name, version);
  switch (dependency.kind) {
    case 'gem':
      return packagePurl(identity, platform === null ? {} : { platform });
    case 'git':
      return packagePurl(identity, vcsQualifier(dependency.url, dependency.commit));
    case 'path':
      return sourcePurl(identity, source, posix.join(directory, dependency.path));
  }
}
