import { isGitDirectoryName } from '../sources/source-path.ts';
import type { Digest } from '../storage/blob-store.ts';
import { digestOf } from '../storage/digest-of.ts';
import type { BundleFile } from './bundle-file.ts';
import { type BundleManifest, manifestText } from './bundle-manifest.ts';

/**
 * Digest of the manifest without what may differ from machine to machine: git directories, and files that hold some
 * (prefetch.md 14). Null when there is nothing of that: then the manifest's own digest is the one to compare.
 */
export function reproducibleDigest(manifest: BundleManifest, files: readonly BundleFile[]): Digest | null {
  const varying = new Set(files.filter((file) => file.varies).map(({ path }) => path));
  const entries = manifest.entries.filter(
    ({ path }) => !varying.has(path) && !path.split('/').some(isGitDirectoryName),
  );
  return entries.length === manifest.entries.length ? null : digestOf(manifestText({ ...manifest, entries }));
}

/** Whether a text names one of the varying files by its digest, so that it varies with it: lock files do. */
export function namesVaryingFile(text: Buffer, files: readonly BundleFile[]): boolean {
  return files.some(({ varies, digest }) => varies && text.includes(digest.slice('sha256:'.length)));
}
