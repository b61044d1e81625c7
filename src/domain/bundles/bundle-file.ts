import type { Digest } from '../storage/blob-store.ts';

/** A regular file of a bundle whose bytes lie in the blob store. */
export interface BundleFile {
  /** Relative to the bundle root, e.g. `deps/npm/chai/chai-4.2.0.tgz`. */
  path: string;
  mode: 0o644 | 0o755;
  digest: Digest;
  size: number;
  crc32: number;
  /** The bytes are not the same on every machine: it holds a git directory (prefetch.md 14). */
  varies?: true;
}

/** A symbolic link below `deps/`: work trees of git dependencies have them. Its target stays inside the bundle. */
export interface BundleLink {
  /** Relative to the bundle root. */
  path: string;
  target: string;
}

/**
 * A change of the source in the bundle: `app/` shows go.mod edits, vendor directories and the like. `path` is relative to
 * the source root.
 */
export type SourceChange =
  | { kind: 'write'; path: string; file: BundleFile }
  | { kind: 'remove'; path: string };

export interface EnvironmentVariable {
  name: string;
  value: string;
  /** `path`: relative to the bundle root, made absolute by the consumer. */
  kind: 'path' | 'literal';
}

/** A file that the consumer lays over the unpacked bundle. */
export interface ConfigurationFile {
  /** Relative to the bundle root, e.g. `app/package-lock.json`. */
  path: string;
  content: Buffer;
}

/** How a consumer finds the dependencies: in files of the bundle, or at the per-request registry (cachito.md 4.5). */
export interface ConsumerSetup {
  environment: EnvironmentVariable[];
  configurationFiles: ConfigurationFile[];
}
