import { isObject, type JsonObject } from '../../javascript-packages/json-object.ts';
import type { LockEntry } from './lock-file.ts';
import { parsePattern } from './pattern.ts';

/** Finds entries by what asks for them. */
export class PatternIndex<Entry extends LockEntry> {
  readonly #byPattern = new Map<string, Entry>();
  readonly #byName = new Map<string, Entry[]>();

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) {
      for (const pattern of entry.patterns) this.#byPattern.set(pattern, entry);
      const names = entry.patterns.map((pattern) => parsePattern(pattern).name);
      // A workspace has no patterns.
      for (const name of new Set(names.length > 0 ? names : [entry.name])) {
        const known = this.#byName.get(name);
        if (known) known.push(entry);
        else this.#byName.set(name, [entry]);
      }
    }
  }

  exact(pattern: string): Entry | null {
    return this.#byPattern.get(pattern) ?? null;
  }

  /** Under the name that others call them. */
  ofName(name: string): readonly Entry[] {
    return this.#byName.get(name) ?? [];
  }
}

/**
 * What a pattern means. Yarn leaves requirements out of its lock that `resolutions` overrule, and those on workspaces:
 * they mean what a resolution of the name says, or else what there is of that name.
 */
export function createPatternLookup<Entry extends LockEntry>(
  index: PatternIndex<Entry>,
  manifest: JsonObject,
): (pattern: string) => Entry | null {
  const resolved = new Map<string, Entry>();
  for (const { name, range } of resolutionsOf(manifest)) {
    const entry = index.exact(`${name}@${range}`);
    if (entry && !resolved.has(name)) resolved.set(name, entry);
  }
  return (pattern) => {
    const exact = index.exact(pattern);
    if (exact) return exact;
    const { name } = parsePattern(pattern);
    return resolved.get(name) ?? index.ofName(name)[0] ?? null;
  };
}

/** The `resolutions` of a package.json, by the packages that they are about: `left` of `parent/left`. */
export function* resolutionsOf({
  resolutions,
}: JsonObject): Generator<{ key: string; name: string; range: unknown }> {
  if (!isObject(resolutions)) return;
  for (const [key, range] of Object.entries(resolutions)) {
    const parts = key.split('/');
    const scope = parts.at(-2);
    const name = scope?.startsWith('@') ? `${scope}/${parts.at(-1)}` : parts.at(-1)!;
    yield { key, name, range };
  }
}
