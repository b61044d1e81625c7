import type { Readable } from 'node:stream';

/** Git's modes: regular file, executable, symbolic link, submodule. Directories are implied by the paths. */
export type SourceMode = '100644' | '100755' | '120000' | '160000';

export interface SourceEntry {
  /** UTF-8, `/` separated, relative to the source root, no `.` or `..` components. */
  path: string;
  mode: SourceMode;
  /** Bytes of a file or of a link's target; 0 for a submodule. */
  size: number;
  /** `sha256:…` of the content of a regular file; absent for links and submodules. */
  digest?: `sha256:${string}`;
  /** Target of a symbolic link, as stored. */
  target?: string;
  /** Commit of a submodule (mode 160000) as 40 hex characters. */
  commit?: string;
}

/** The files of a source, to be looked at. Nothing outside it can be reached through them. */
export interface SourceFiles {
  /** Files, links and submodules, sorted bytewise by path. */
  readonly entries: ReadonlyMap<string, SourceEntry>;
  /**
   * Follows links (in every component) inside the tree. Returns the entry of a file or submodule, `'directory'`, or null
   * when nothing is there. Throws a RequestFailure `path-outside-root` when a link leaves the tree.
   */
  lookup(path: string): SourceEntry | 'directory' | null;
  /** Content of a regular file (links followed). Throws when it is absent or larger than `maxBytes` (64 MiB). */
  read(path: string, maxBytes?: number): Promise<Buffer>;
  open(path: string): Readable;
}

/** A read-only source tree: that of a commit, read from git objects, or of an uploaded archive. */
export interface SourceTree extends SourceFiles {
  /** 40 (or 64) hex characters; null for an uploaded archive. */
  readonly commit: string | null;
  /** Id of the root tree in git's own terms (also computed for archives). */
  readonly treeId: string;
  /** Seconds since 1970: commit time; for an archive the newest entry. */
  readonly time: number;
  /** Names directly inside a directory, sorted; empty when there is no such directory. Does not follow links. */
  children(directory: string): string[];
  /** Writes the tree (or the part below `only`) into an existing empty directory, links included. */
  exportTo(directory: string, options?: { only?: string; signal?: AbortSignal }): Promise<void>;
}
