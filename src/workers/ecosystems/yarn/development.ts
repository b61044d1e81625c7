import { createPatternLookup, type LockEntry } from './lock-file.ts';
import { patternsOf, RUNTIME_FIELDS, type YarnProject } from './project.ts';

/**
 * The entries that something needs at run time: reachable from the package or one of its workspaces by other ways than
 * development dependencies (prefetch.md 4.1). All others are for development.
 */
export function runtimeEntries<Entry extends LockEntry>(
  entries: readonly Entry[],
  { manifest, workspaces }: YarnProject,
): Set<Entry> {
  const lookup = createPatternLookup(entries);
  const reached = new Set<Entry>();
  const waiting = [manifest, ...workspaces.map((one) => one.manifest)].flatMap((one) =>
    patternsOf(one, RUNTIME_FIELDS),
  );
  for (let pattern = waiting.pop(); pattern !== undefined; pattern = waiting.pop()) {
    for (const entry of lookup(pattern)) {
      if (reached.has(entry)) continue;
      reached.add(entry);
      for (const dependency of entry.dependencies) waiting.push(dependency);
    }
  }
  return reached;
}
