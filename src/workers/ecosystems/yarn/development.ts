import type { LockEntry } from './lock-file.ts';
import { parsePattern } from './pattern.ts';
import { PatternIndex } from './pattern-index.ts';
import { type AnyYarnProject, patternsOf, RUNTIME_FIELDS } from './project.ts';

/**
 * The entries that something needs at run time: reachable from the package or one of its workspaces by other ways than
 * development dependencies (prefetch.md 4.1). All others are for development. Where a lock does not say which of several
 * versions is meant, all are.
 */
export function runtimeEntries<Entry extends LockEntry>(
  entries: readonly Entry[],
  { manifest, workspaces }: AnyYarnProject,
): Set<Entry> {
  const index = new PatternIndex(entries);
  const reached = new Set<Entry>();
  const names = new Set<string>();
  const waiting = [manifest, ...workspaces.map((one) => one.manifest)].flatMap((one) =>
    patternsOf(one, RUNTIME_FIELDS),
  );
  const reach = (entry: Entry) => {
    if (reached.has(entry)) return;
    reached.add(entry);
    for (const pattern of entry.dependencies) waiting.push(pattern);
  };
  for (let pattern = waiting.pop(); pattern !== undefined; pattern = waiting.pop()) {
    const exact = index.exact(pattern);
    const { name } = parsePattern(pattern);
    if (exact) reach(exact);
    else if (!names.has(name)) {
      names.add(name);
      for (const entry of index.ofName(name)) reach(entry);
    }
  }
  return reached;
}
