import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { InvalidInputError } from '../errors.ts';
import type { ArchiveEntry } from './archives/archive-entry.ts';
import { followPath } from './follow-path.ts';

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const ENTRIES_PER_TURN = 32;

/**
 * Writes entries of an archive into an empty directory, in the order of the archive: of several for one path the last
 * one counts. Links are made when all else is written and only where nothing is, and every directory is one that this
 * made itself: no write can go through a link.
 */
export class ContextWriter {
  files = 0;
  bytes = 0;
  readonly #root: string;
  readonly #signal: AbortSignal;
  readonly #directories = new Set(['']);
  readonly #links = new Map<string, { target: string }>();
  readonly #hardLinks = new Map<string, string>();
  #entries = 0;

  constructor(root: string, signal: AbortSignal) {
    this.#root = root;
    this.#signal = signal;
  }

  async add(entry: ArchiveEntry): Promise<void> {
    await this.#rest();
    const path = this.#throughLinks(entry.path);
    switch (entry.kind) {
      case 'directory':
        // A link to a directory stays one.
        if (!this.#links.has(path)) this.#makeDirectory(path, entry.permissions);
        return;
      case 'symlink':
        // What lies there is what the link would lead to: one client packs both.
        if (this.#isFull(path)) return;
        this.#replace(path);
        this.#links.set(path, { target: entry.target });
        return;
      case 'hard link': {
        const target = this.#throughLinks(entry.target);
        if (target === path) return;
        this.#replace(path);
        this.#hardLinks.set(path, target);
        return;
      }
      case 'file':
        await this.#write(path, entry);
    }
  }

  /** Makes the links, and removes again what was only written for their sake. */
  async finish(isKept: (path: string) => boolean): Promise<void> {
    const unwanted = new Set<string>();
    for (const path of this.#hardLinks.keys()) {
      const target = this.#endOfHardLinks(path);
      const link = this.#links.get(target);
      if (link) this.#links.set(path, link);
      else this.#makeHardLink(path, target);
      if (!isKept(target)) unwanted.add(target);
      await this.#rest();
    }
    for (const [path, { target }] of this.#links) {
      if (isKept(path)) this.#makeLink(path, target);
      await this.#rest();
    }
    for (const path of unwanted) if (!this.#links.has(path)) this.#remove(path);
  }

  /** Links followed. */
  async isFileInside(path: string): Promise<boolean> {
    try {
      const [root, real] = await Promise.all([realpath(this.#root), realpath(join(this.#root, path))]);
      return real.startsWith(root + sep) && statSync(real).isFile();
    } catch {
      return false;
    }
  }

  /**
   * Where an entry lies whose directory is a link of the archive: one client packs the link, and what it leads to below
   * it (fandogh.md 3.3).
   */
  #throughLinks(path: string): string {
    if (this.#links.size === 0) return path;
    const directory = parentOf(path);
    const shape = { entries: this.#links, isDirectory: () => true };
    const destination = followPath(shape, directory);
    if (destination.kind !== 'found') {
      throw new InvalidInputError(`The archive has the entry ${path} behind a link that leads out of it`);
    }
    if (destination.path === directory) return path;
    return join(destination.path, path.slice(directory.length + 1));
  }

  async #write(path: string, { content, permissions }: ArchiveEntry): Promise<void> {
    this.#makeDirectory(parentOf(path), null);
    this.#forget(path);
    const descriptor = this.#openNew(path);
    try {
      for await (const chunk of content) {
        this.#signal.throwIfAborted();
        for (let done = 0; done < chunk.length; ) done += writeSync(descriptor, chunk, done);
        this.bytes += chunk.length;
      }
      fchmodSync(descriptor, (permissions ?? 0o644) | 0o400);
    } finally {
      closeSync(descriptor);
    }
    this.files += 1;
  }

  #openNew(path: string): number {
    const file = join(this.#root, path);
    try {
      return openSync(file, NEW_FILE, 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      this.#remove(path);
      return openSync(file, NEW_FILE, 0o600);
    }
  }

  /** Makes room for a link: what had its path goes. */
  #replace(path: string): void {
    this.#makeDirectory(parentOf(path), null);
    this.#forget(path);
    this.#remove(path);
  }

  #forget(path: string): void {
    this.#links.delete(path);
    this.#hardLinks.delete(path);
  }

  /** A directory with something in it. */
  #isFull(path: string): boolean {
    return this.#directories.has(path) && readdirSync(join(this.#root, path)).length > 0;
  }

  /** A directory goes only when it is empty. */
  #remove(path: string): void {
    const place = join(this.#root, path);
    const found = lstatSync(place, { throwIfNoEntry: false });
    if (!found) return;
    if (!found.isDirectory()) {
      unlinkSync(place);
      this.files -= 1;
      return;
    }
    clashing(path, () => rmdirSync(place));
    this.#directories.delete(path);
  }

  #makeDirectory(path: string, permissions: number | null): void {
    const isNew = !this.#directories.has(path);
    if (isNew) {
      this.#makeDirectory(parentOf(path), null);
      this.#forget(path);
      clashing(path, () => mkdirSync(join(this.#root, path), 0o755));
      this.#directories.add(path);
    }
    if (permissions !== null && path !== '') chmodSync(join(this.#root, path), permissions | 0o700);
  }

  #endOfHardLinks(path: string): string {
    const passed = new Set<string>();
    let target = path;
    for (let next = this.#hardLinks.get(target); next !== undefined; next = this.#hardLinks.get(target)) {
      if (passed.has(target)) throw new InvalidInputError(`The hard link ${path} leads to itself`);
      passed.add(target);
      target = next;
    }
    return target;
  }

  #makeHardLink(path: string, target: string): void {
    const found = lstatSync(join(this.#root, target), { throwIfNoEntry: false });
    if (!found?.isFile()) {
      throw new InvalidInputError(`The archive has a hard link ${path} to ${target}, which is no file`);
    }
    clashing(path, () => linkSync(join(this.#root, target), join(this.#root, path)));
    this.files += 1;
  }

  #makeLink(path: string, target: string): void {
    this.#makeDirectory(parentOf(path), null);
    clashing(path, () => symlinkSync(target, join(this.#root, path)));
  }

  async #rest(): Promise<void> {
    this.#entries += 1;
    if (this.#entries % ENTRIES_PER_TURN !== 0) return;
    await nextTurn();
    this.#signal.throwIfAborted();
  }
}

const CLASHES = new Set(['EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY']);

function clashing(path: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EMLINK') throw new InvalidInputError(`The archive has too many hard links like ${path}`);
    if (!CLASHES.has(code ?? '')) throw error;
    throw new InvalidInputError(`The archive has ${path} as a directory and as something else`, {
      cause: error,
    });
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
