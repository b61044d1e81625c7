import { ValidationError } from '../errors.ts';

/** Where a path of a tree leads when every link in it is followed. */
export type Destination =
  | { kind: 'found'; path: string }
  | { kind: 'missing' }
  | { kind: 'loop' }
  /** `link` is the path of the link that leaves; null when the path itself does. */
  | { kind: 'outside'; link: string | null };

/** What {@link followPath} needs of a tree. */
export interface TreeShape {
  entries: ReadonlyMap<string, { target?: string }>;
  isDirectory(path: string): boolean;
}

/** As the kernel does it. */
const MAX_LINKS = 40;

/**
 * Follows a path as a file system would, `..` after links, without ever going above the root: not even to come back,
 * since the name of the root directory is not part of the tree. A part that does not exist is passed lexically, so that
 * a link through it cannot hide where it leads.
 */
export function followPath(tree: TreeShape, path: string): Destination {
  if (path.startsWith('/')) return { kind: 'outside', link: null };
  const pending: Step[] = steps(path, null);
  const at: string[] = [];
  let links = 0;
  let missing = false;
  while (pending.length > 0) {
    const { name, link } = pending.pop()!;
    if (name === '..') {
      if (at.length === 0) return { kind: 'outside', link };
      at.pop();
      continue;
    }
    at.push(name);
    const here = at.join('/');
    const entry = tree.entries.get(here);
    if (entry?.target === undefined) {
      const passable = tree.isDirectory(here) || (entry !== undefined && pending.length === 0);
      missing ||= !passable;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return { kind: 'loop' };
    if (entry.target.startsWith('/')) return { kind: 'outside', link: here };
    at.pop();
    pending.push(...steps(entry.target, here));
  }
  return missing ? { kind: 'missing' } : { kind: 'found', path: at.join('/') };
}

/** The refusal of cachito.md 4.2; `all` are the links that leave. */
export function outsideError(path: string, all: readonly string[] = [path]): ValidationError {
  return new ValidationError(
    'path-outside-root',
    `The destination of '${path}' is outside of cloned repository`,
    {
      details: { links: all },
      hint: 'Remove the link, or use the flag remove-unsafe-symlinks.',
    },
  );
}

interface Step {
  name: string;
  /** The link whose target the step comes from. */
  link: string | null;
}

/** Last one first, to be taken from the end. */
function steps(path: string, link: string | null): Step[] {
  return path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .map((name) => ({ name, link }))
    .reverse();
}
