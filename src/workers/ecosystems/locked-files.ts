import { posix } from 'node:path';
import { ANY_HASH } from '../../domain/bundles/sbom/component-properties.ts';
import type { SbomComponent } from '../../domain/bundles/sbom-component.ts';
import { ValidationError } from '../../domain/errors.ts';
import type { ExpectedDigest } from '../downloads/artifact-store.ts';

/** A file as far as an SBOM names it: one that was fetched, or what a lock file says of one that was not. */
export interface KnownFile {
  /** null: the lock file does not say. */
  url: string | null;
  digests: SbomComponent['hashes'];
}

/** Of a file that is not fetched. Where any of several digests may match, none is its own: see {@link anyHash}. */
export function lockedFile(url: string | null, expected: readonly ExpectedDigest[]): KnownFile {
  const [only, ...others] = expected;
  return { url, digests: only && others.length === 0 ? { [only.algorithm]: only.hex } : {} };
}

/** The properties of a component of which a lock file names several files. */
export function anyHash(expected: readonly ExpectedDigest[]): Record<string, string> {
  if (expected.length < 2) return {};
  const hashes = expected.map(({ algorithm, hex }) => `${algorithm}:${hex}`);
  return { [ANY_HASH]: [...new Set(hashes)].sort().join(',') };
}

/** A path of a lock file, from the source root. Throws ValidationError for one that leads out of the source. */
export function pathInSource(directory: string, path: string): string {
  const target = posix.join(directory, path).replace(/(?<=.)\/$/, '');
  if (!posix.isAbsolute(path) && target !== '..' && !target.startsWith('../')) return target;
  throw new ValidationError('path-outside-root', `The path ${path} is outside of the source`);
}
