import { InvalidFileFormat } from '../../errors.ts';
import { comparePaths, isGitDirectoryName } from '../source-path.ts';
import type { NewEntry } from '../source-snapshot.ts';

/** A file or link of an uploaded archive. Directories are implied by the paths. */
export interface ArchiveMember {
  /** As in the archive, without `./`; checked to stay inside. */
  path: string;
  mode: '100644' | '100755' | '120000';
  size: number;
  /** Of a regular file; read after the whole archive was listed, in any order. */
  content?: AsyncIterable<Uint8Array>;
  /** Of a symbolic link. */
  target?: string;
  /** Seconds since 1970; 0 when the archive does not say. */
  time: number;
}

/** What was found in an archive, in any order. */
export class ArchiveMembers {
  readonly #members = new Map<string, ArchiveMember>();
  readonly #git = new Map<string, ArchiveMember>();
  readonly #left: string[] = [];

  /**
   * Two members for one path are refused: tools differ in which one they take, so that nobody could tell what was meant.
   * Git directories and the resource forks of macOS are left out.
   */
  add(member: ArchiveMember): void {
    const { path } = member;
    if (isLeftOut(path)) {
      this.#left.push(path);
      if (/^(?:[^/]+\/)?\.git\//.test(path)) this.#git.set(path, member);
      return;
    }
    if (this.#members.has(path)) {
      throw new InvalidFileFormat('unexpected-format', `The archive has two entries for the path ${path}`);
    }
    this.#members.set(path, member);
  }

  get(path: string): ArchiveMember | undefined {
    return this.#members.get(path);
  }

  /** Paths that were left out. */
  get leftOut(): readonly string[] {
    return this.#left;
  }

  /** Members of the git directory of the source, by their paths in it; they are also among those left out. */
  gitDirectory(): Map<string, ArchiveMember> {
    const prefix = this.#gitPrefix();
    return new Map(this.gitDirectoryPaths().map((path) => [path.slice(prefix.length), this.#git.get(path)!]));
  }

  /** The same members, by their paths in the archive. */
  gitDirectoryPaths(): string[] {
    const prefix = this.#gitPrefix();
    return [...this.#git.keys()].filter((path) => path.startsWith(prefix));
  }

  #gitPrefix(): string {
    return `${commonRoot([...this.#members.keys()])}.git/`;
  }

  /** Time of the newest member. */
  get time(): number {
    let newest = 0;
    for (const { time } of this.#members.values()) newest = Math.max(newest, time);
    return newest;
  }

  /**
   * Sorted by path, for a snapshot. When everything lies in one directory, that is the root: archives of releases and of
   * git hosts are made so.
   */
  entries(): NewEntry[] {
    const root = commonRoot([...this.#members.keys()]);
    return [...this.#members.values()]
      .map(({ time: _, ...member }) => ({ ...member, path: member.path.slice(root.length) }))
      .sort((a, b) => comparePaths(a.path, b.path));
  }
}

function isLeftOut(path: string): boolean {
  return path.split('/').some(isGitDirectoryName) || path.startsWith('__MACOSX/');
}

function commonRoot(paths: readonly string[]): string {
  const cut = paths[0]?.indexOf('/') ?? -1;
  if (cut === -1) return '';
  const root = paths[0]!.slice(0, cut + 1);
  return paths.every((path) => path.startsWith(root)) ? root : '';
}
