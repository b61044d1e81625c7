import { parse } from 'smol-toml';
import type { StaticMetadata } from './setup-py.ts';

/** Static name and version of `[project]` (prefetch.md 5.3). Throws an Error when it is not TOML. */
export function parsePyproject(source: string): StaticMetadata {
  const { project } = parse(source) as { project?: unknown };
  if (typeof project !== 'object' || project === null) return { name: null, version: null };
  const { name, version } = project as Record<string, unknown>;
  return {
    name: typeof name === 'string' && name !== '' ? name : null,
    version: typeof version === 'string' && version !== '' ? version : null,
  };
}
