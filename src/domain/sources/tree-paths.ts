import { posix } from 'node:path';
import { ValidationError } from '../errors.ts';
import type { SourceEntry } from './source-tree.ts';

const MOST_LINKS = 40;

/** Names in a tree: directories are implied by the entries' paths, links are followed inside the tree only. */
export class TreePaths {
  readonly #entries: ReadonlyMap<string, SourceEntry>;
  readonly #children = new Map<string, string[]>([['', []]]);

  /** `entries` sorted by path. */
  constructor(entries: ReadonlyMap<string, SourceEntry>) {
    this.#entries = entries;
    for (const path of entries.keys()) this.#add(path);
  }

  children(directory: string): string[] {
    return this.#children.get(normal(directory)) ?? [];
  }

  /** See {@link SourceTree.lookup}. A loop of links leads nowhere: null. */
  lookup(path: string): SourceEntry | 'directory' | null {
    let rest = normal(path).split('/').filter(Boolean);
    let at = '';
    for (let links = 0; rest.length > 0; ) {
      const [name, ...after] = rest;
      if (name === '..') {
        if (at === '') throw outside(path);
        at = parent(at);
        rest = after;
        continue;
      }
      const next = at === '' ? name! : `${at}/${name}`;
      const entry = this.#entries.get(next);
      if (entry?.mode === '120000') {
        links += 1;
        if (links > MOST_LINKS) return null;
        if (posix.isAbsolute(entry.target!)) throw outside(next);
        rest = [...entry.target!.split('/').filter((part) => part !== '' && part !== '.'), ...after];
        continue;
      }
      if (entry) return after.length === 0 ? entry : null;
      if (!this.#children.has(next)) return null;
      at = next;
      rest = after;
    }
    return 'directory';
  }

  #add(path: string): void {
    for (let child = path; child !== ''; ) {
      const directory = parent(child);
      const names = this.#children.get(directory);
      const name = directory === '' ? child : child.slice(directory.length + 1);
      if (names) {
        names.push(name);
        return;
      }
      this.#children.set(directory, [name]);
      child = directory;
    }
  }
}

function normal(path: string): string {
  const result = posix.normalize(path);
  if (posix.isAbsolute(result) || path.includes('\0')) throw outside(path);
  return result === '.' ? '' : result.replace(/\/$/, '');
}

function parent(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

function outside(path: string): ValidationError {
  return new ValidationError('path-outside-root', `The path ${path} leads outside of the source`, {
    details: { path },
  });
}
