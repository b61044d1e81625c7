import { createHash, type Hash } from 'node:crypto';
import type { SourceMode } from './source-tree.ts';

/** Computes git's id (SHA-1) of a tree from its entries, without git: an archive gets the id its commit would have. */
export class TreeIdHash {
  readonly #root: Directory = new Map();

  /** The caller feeds the content into the returned hash before {@link digest} is called. */
  addBlob(path: string, mode: SourceMode, size: number): Hash {
    const hash = createHash('sha1').update(`blob ${size}\0`);
    this.#add(path, { mode, hash });
    return hash;
  }

  addSubmodule(path: string, commit: string): void {
    this.#add(path, { mode: '160000', id: commit });
  }

  digest(): string {
    return treeId(this.#root);
  }

  #add(path: string, node: Leaf): void {
    const names = path.split('/');
    const last = names.pop()!;
    let directory = this.#root;
    for (const name of names) {
      let next = directory.get(name);
      if (!(next instanceof Map)) {
        next = new Map();
        directory.set(name, next);
      }
      directory = next;
    }
    directory.set(last, node);
  }
}

type Leaf = { mode: SourceMode; hash?: Hash; id?: string };
type Directory = Map<string, Leaf | Directory>;

function treeId(directory: Directory): string {
  const rows = [...directory].map(([name, node]) => {
    const isTree = node instanceof Map;
    const id = isTree ? treeId(node) : (node.id ?? node.hash!.digest('hex'));
    const mode = isTree ? '40000' : node.mode;
    // Git sorts a directory as if its name ended with a slash.
    const key = Buffer.from(isTree ? `${name}/` : name);
    return { key, row: Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')]) };
  });
  rows.sort((a, b) => Buffer.compare(a.key, b.key));
  const content = Buffer.concat(rows.map(({ row }) => row));
  return createHash('sha1').update(`tree ${content.length}\0`).update(content).digest('hex');
}
