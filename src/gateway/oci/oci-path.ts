import { RegistryError } from '../../domain/registry/errors.ts';

/** What a path below `/v2` is about (oci-registry.md 3). */
export type OciResource =
  | { kind: 'root' }
  | { kind: 'catalog' }
  | { kind: 'token' }
  | { kind: 'uploads'; name: string }
  | { kind: 'upload' | 'blob' | 'manifest' | 'referrers'; name: string; id: string }
  | { kind: 'tags'; name: string };

/** Names have slashes: the end of the path tells what it is, and everything before it is the name. */
const PATTERNS: readonly [
  pattern: RegExp,
  kind: Exclude<OciResource['kind'], 'root' | 'catalog' | 'token'>,
][] = [
  [/^(.+)\/blobs\/uploads\/?$/, 'uploads'],
  [/^(.+)\/blobs\/uploads\/([^/]+)$/, 'upload'],
  [/^(.+)\/blobs\/([^/]+)$/, 'blob'],
  [/^(.+)\/manifests\/([^/]+)$/, 'manifest'],
  [/^(.+)\/tags\/list$/, 'tags'],
  [/^(.+)\/referrers\/([^/]+)$/, 'referrers'],
];

/**
 * @param path what follows `/v2`, without query, as it came
 * @returns null where there is nothing
 */
export function parseOciPath(path: string): OciResource | null {
  if (path === '' || path === '/') return { kind: 'root' };
  if (path === '/_catalog') return { kind: 'catalog' };
  if (path === '/auth' || path === '/token') return { kind: 'token' };
  const decoded = decode(path.slice(1));
  for (const [pattern, kind] of PATTERNS) {
    const [, name, id = ''] = pattern.exec(decoded) ?? [];
    if (name !== undefined) return { kind, name, id } as OciResource;
  }
  return null;
}

function decode(path: string): string {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    throw new RegistryError('name-invalid', 'the path cannot be decoded');
  }
}
