import { createHash, type Hash } from 'node:crypto';
import type { SourceMode } from './source-tree.ts';

export type ObjectFormat = 'sha1' | 'sha256';

export interface TreeEntry {
  path: string;
  mode: SourceMode;
  /** Git's id of the blob (of a link: of its target); of a submodule: its commit. */
  objectId: string;
}

/** Hash of a blob in git's own terms; feed it the content. */
export function blobIdHash(size: number, format: ObjectFormat = 'sha1'): Hash {
  return createHash(format).update(`blob ${size}\0`);
}

/**
 * Id of the root tree that git would make of the entries, which are sorted bytewise by path. What lies below a submodule
 * is not part of its parent's tree.
 */
export function treeOf(entries: Iterable<TreeEntry>, format: ObjectFormat = 'sha1'): string {
  const submodules = new Set<string>();
  const open: OpenTree[] = [{ name: '', rows: [] }];
  for (const { path, mode, objectId } of entries) {
    const names = path.split('/');
    if (submodules.size > 0 && isBelow(names, submodules)) continue;
    if (mode === '160000') submodules.add(path);
    const name = names.pop()!;
    let shared = 0;
    while (shared < names.length && open[shared + 1]?.name === names[shared]) shared += 1;
    while (open.length > shared + 1) closeTree(open, format);
    for (const directory of names.slice(shared)) open.push({ name: directory, rows: [] });
    open.at(-1)!.rows.push(row(mode, name, objectId));
  }
  while (open.length > 1) closeTree(open, format);
  return treeId(open[0]!.rows, format);
}

interface OpenTree {
  name: string;
  rows: Buffer[];
}

function closeTree(open: OpenTree[], format: ObjectFormat): void {
  const { name, rows } = open.pop()!;
  open.at(-1)!.rows.push(row('40000', name, treeId(rows, format)));
}

function treeId(rows: Buffer[], format: ObjectFormat): string {
  const content = Buffer.concat(rows);
  return createHash(format).update(`tree ${content.length}\0`).update(content).digest('hex');
}

function row(mode: string, name: string, objectId: string): Buffer {
  return Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(objectId, 'hex')]);
}

function isBelow(names: readonly string[], directories: ReadonlySet<string>): boolean {
  for (let depth = 1; depth < names.length; depth += 1) {
    if (directories.has(names.slice(0, depth).join('/'))) return true;
  }
  return false;
}
