import type { SubmoduleDepth } from '../../domain/database/sql/source-snapshots.ts';
import type { SourceTree } from '../../domain/sources/source-tree.ts';

export interface GitTag {
  name: string;
  /** The commit that the tag (peeled) names. */
  commit: string;
}

/** Git repositories by URL, with an object cache per repository (issue: "a known commit needs no network at all"). */
export interface GitTrees {
  /**
   * Tree of one commit. Fetches only what is missing. `ssh` URLs are tried over https first when `httpsFirst` is set.
   * Throws RepositoryAccessError.
   */
  tree(
    url: string,
    commit: string,
    options?: { submodules?: SubmoduleDepth; httpsFirst?: boolean },
  ): Promise<SourceTree>;
  /** Branch, tag or (abbreviated, if local) commit to full commit id. `null`: the remote's HEAD. */
  resolveRef(url: string, ref: string | null): Promise<string>;
  /** Tags that are ancestors of (or at) the commit. Fetches tags and history once per commit, then never again. */
  reachableTags(url: string, commit: string): Promise<GitTag[]>;
  /**
   * Writes a git directory (what `.git` is called in a work tree) into an existing empty directory: the commit as a
   * detached head, its whole history with the tags in it, an index. Fetches once per commit, then never again.
   */
  exportGitDirectory(
    url: string,
    commit: string,
    directory: string,
    options?: { httpsFirst?: boolean; hasSubmodules?: boolean },
  ): Promise<void>;
  /** Writes a pack of one commit, without its history, to a file. Fetches the commit when it is not there. */
  packCommit(url: string, commit: string, file: string): Promise<void>;
  /** Writes the `.idx` of a pack. */
  indexPack(pack: string, index: string): Promise<void>;
}
