import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { Readable } from 'node:stream';
import type { SourceEntry, SourceTree } from '../../src/domain/sources/source-tree.ts';

/** A source tree from literal texts, for tests of parsers and resolvers. `{ link }` makes a symbolic link, `{ commit }` a submodule. */
export function memorySourceTree(
  files: Record<string, string | Buffer | { link: string } | { commit: string }>,
): SourceTree {
  const contents = new Map<string, Buffer>();
  const entries = new Map<string, SourceEntry>();
  for (const path of Object.keys(files).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    const value = files[path]!;
    if (typeof value === 'object' && 'commit' in value) {
      entries.set(path, { path, mode: '160000', size: 0, commit: value.commit });
      continue;
    }
    if (typeof value === 'object' && 'link' in value) {
      entries.set(path, { path, mode: '120000', size: value.link.length, target: value.link });
      continue;
    }
    const content = Buffer.from(value as string);
    contents.set(path, content);
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}` as const;
    entries.set(path, { path, mode: '100644', size: content.length, digest });
  }
  const isDirectory = (path: string): boolean =>
    path === '' || path === '.' || [...entries.keys()].some((entry) => entry.startsWith(`${path}/`));

  const lookup = (path: string): SourceEntry | 'directory' | null => {
    const normal = posix.normalize(path);
    if (isDirectory(normal)) return 'directory';
    const entry = entries.get(normal);
    if (entry?.target !== undefined) return lookup(posix.join(posix.dirname(normal), entry.target));
    if (entry) return entry;
    for (let at = normal.indexOf('/'); at > 0; at = normal.indexOf('/', at + 1)) {
      const target = entries.get(normal.slice(0, at))?.target;
      if (target !== undefined)
        return lookup(posix.join(normal.slice(0, at), '..', target, normal.slice(at)));
    }
    return null;
  };
  const read = async (path: string): Promise<Buffer> => {
    const entry = lookup(path);
    if (!entry || entry === 'directory') throw new Error(`no file ${path}`);
    return contents.get(entry.path)!;
  };
  return {
    commit: 'c'.repeat(40),
    treeId: 'd'.repeat(40),
    time: 1_600_000_000,
    entries,
    lookup,
    read,
    open: (path) =>
      Readable.from(
        (async function* () {
          yield await read(path);
        })(),
      ),
    children(directory) {
      const prefix = directory === '' || directory === '.' ? '' : `${directory}/`;
      const names = [...entries.keys()].filter((path) => path.startsWith(prefix));
      return [...new Set(names.map((path) => path.slice(prefix.length).split('/')[0]!))];
    },
    async exportTo(directory, options = {}) {
      for (const entry of entries.values()) {
        if (options.only && options.only !== '.' && !entry.path.startsWith(`${options.only}/`)) continue;
        const target = join(directory, entry.path);
        mkdirSync(entry.commit === undefined ? dirname(target) : target, { recursive: true });
        if (entry.commit !== undefined) continue;
        if (entry.target !== undefined) symlinkSync(entry.target, target);
        else writeFileSync(target, contents.get(entry.path)!);
        if (entry.mode === '100755') chmodSync(target, 0o755);
      }
    },
  };
}
