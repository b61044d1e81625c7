import type { ConfigurationFile, EnvironmentVariable } from '../../../domain/bundles/bundle-file.ts';
import { registryUrlWithCredentials } from '../../../domain/package-registries/registry-address.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import { PIP_DIRECTORY } from './layout.ts';
import type { PlannedGit, PlannedUrl } from './plan.ts';
import { declaredAsUtf8 } from './requirements-text.ts';

/** How pip finds the bundle's archives without any network (cachito.md 4.5). */
export const OFFLINE_ENVIRONMENT: readonly EnvironmentVariable[] = [
  { name: 'PIP_NO_INDEX', value: 'true', kind: 'literal' },
  { name: 'PIP_FIND_LINKS', value: PIP_DIRECTORY, kind: 'path' },
  { name: 'STOWAGE_DEPS', value: 'deps', kind: 'path' },
];

/** How pip finds the releases at the per-request index (prefetch.md 5.1). */
export function registryEnvironment(authority: ConfigurationFile | null): EnvironmentVariable[] {
  const index = { name: 'PIP_INDEX_URL', value: `${registryUrlWithCredentials('pip-hosted')}simple` };
  return [
    ...(authority ? [{ name: 'PIP_CERT', value: authority.path, kind: 'path' as const }] : []),
    { ...index, kind: 'literal' },
  ];
}

/** Where pip fetches what lies at a path below `deps/`. */
export type ArchiveAddress = (path: string) => string;

/** pip fills in the variable. */
export const offlineArchive: ArchiveAddress = (path) => `file://\${STOWAGE_DEPS}/${path}`;
/** At the request's own store of archives; pip takes the password from the URL. */
export const registryArchive: ArchiveAddress = (path) =>
  `${registryUrlWithCredentials('pip-raw')}${path.slice('pip/'.length)}`;

/** A dependency whose line must point into the bundle. */
export interface Redirected {
  planned: PlannedGit | PlannedUrl;
  /** What lies in the bundle. */
  artifact: Artifact;
  bundlePath: string;
}

/**
 * Each requirements file that names git or URL dependencies, once, with those lines pointing to our archives. Of a file
 * that several pip commands read, the command that needs no hashes counts: with them the others fail with or without us.
 */
export function rewriteRequirements(
  redirected: readonly Redirected[],
  addressOf: ArchiveAddress,
): ConfigurationFile[] {
  const byPath = Map.groupBy(redirected, ({ planned }) => planned.file.path);
  return [...byPath].map(([path, items]) => {
    const [first] = items;
    const lines: (string | null)[] = [...first!.planned.file.lines];
    for (const item of [...items].sort((a, b) => hashesInForce(b) - hashesInForce(a))) {
      const { start, end } = item.planned.line;
      lines.fill(null, start, end);
      lines[start] = redirectedLine(item, addressOf);
    }
    const content = lines
      .filter((line) => line !== null)
      .map((line, index) => (index < 2 ? declaredAsUtf8(line) : line))
      .join('\n');
    return { path: `app/${path}`, content: Buffer.from(content) };
  });
}

function hashesInForce({ planned }: Redirected): number {
  return Number(planned.hashesInForce);
}

/**
 * `<name> @ <address>` with fragment, marker and hashes kept. A git dependency gets the hash of its
 * archive when hashes are in force: pip takes no file without one then.
 */
function redirectedLine({ planned, artifact, bundlePath }: Redirected, addressOf: ArchiveAddress): string {
  const { requirement } = planned.line;
  if (requirement.kind === 'pypi') throw new Error('A release stays as it is');
  const { name, extras, marker, url } = requirement;
  const path = bundlePath.slice('deps/'.length).split('/').map(encodeURIComponent).join('/');
  const hash = url.indexOf('#');
  const words = [
    `${name}${extras.length > 0 ? `[${extras.join(',')}]` : ''} @ ${addressOf(path)}${hash < 0 ? '' : fragment(url.slice(hash + 1))}`,
    ...(marker ? [`; ${marker.text}`] : []),
    ...hashOptions(planned, artifact),
  ];
  return words.join(' ');
}

function hashOptions(planned: PlannedGit | PlannedUrl, artifact: Artifact): string[] {
  const ofArchive = [`--hash=sha256:${artifact.digests.sha256}`];
  if (planned.kind === 'vcs') return planned.hashesInForce ? ofArchive : [];
  const { hashes } = planned.requirement;
  if (hashes.length > 0) return hashes.map((hash) => `--hash=${hash}`);
  return planned.hashesInForce ? ofArchive : [];
}

/** The name stands before the URL: an egg is not needed, and pip dislikes one with extras. */
function fragment(text: string): string {
  const kept = text.split('&').filter((part) => part !== '' && !/^egg=.*(\[|%5B)/i.test(part));
  return kept.length > 0 ? `#${kept.join('&')}` : '';
}
