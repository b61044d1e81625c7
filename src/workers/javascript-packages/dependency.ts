import type { ExpectedDigest } from '../downloads/artifact-store.ts';

/** What the lock files of npm and yarn say about a package that is installed. */
export interface LockedPackage {
  /** The package's own name, also when it is installed under an alias. */
  name: string;
  /** Where the lock takes it from: a URL, `file:…`, `github:…`; null when it does not say. */
  source: string | null;
  bundled: boolean;
  dev: boolean;
  hasInstallScript: boolean;
  license: string | null;
}

/** A locked package and what kind of dependency it is (the table of prefetch.md 3.1). `version` is the reported one. */
export type LockedDependency<Entry extends LockedPackage = LockedPackage> = {
  entry: Entry;
  version: string;
  /** Of these digests any may match. Empty when the lock has none. */
  expected: readonly ExpectedDigest[];
} & (
  | { kind: 'registry' | 'bundled'; fetchVersion: string }
  | { kind: 'file'; path: string }
  | { kind: 'git'; url: string; commit: string; shorthand: GitShorthand | null }
  | { kind: 'http'; url: string }
);

/** Comes from no registry: fetched and packed again. */
export type ExternalDependency = Extract<LockedDependency, { kind: 'git' | 'http' }>;

/** `github:ns/repo`: names the folder in the bundle. */
export interface GitShorthand {
  host: string;
  repositoryPath: string;
}
