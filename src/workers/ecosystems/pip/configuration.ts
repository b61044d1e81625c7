import type { ConfigurationFile, EnvironmentVariable } from '../../../domain/bundles/bundle-file.ts';
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

/** A dependency whose line must point into the bundle. */
export interface Redirected {
  planned: PlannedGit | PlannedUrl;
  /** What lies in the bundle. */
  artifact: Artifact;
  bundlePath: string;
}

/**
 * Each requirements file that names git or URL dependencies, once, with those lines pointing into the bundle. Of a file
 * that several pip commands read, the command that needs no hashes counts: with them the others fail with or without us.
 */
export function rewriteRequirements(redirected: readonly Redirected[]): ConfigurationFile[] {
  const byPath = Map.groupBy(redirected, ({ planned }) => planned.file.path);
  return [...byPath].map(([path, items]) => {
    const [first] = items;
    const lines: (string | null)[] = [...first!.planned.file.lines];
    for (const item of [...items].sort((a, b) => hashesInForce(b) - hashesInForce(a))) {
      const { start, end } = item.planned.line;
      lines.fill(null, start, end);
      lines[start] = offlineLine(item);
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
 * `<name> @ file://${STOWAGE_DEPS}/pip/<…>` with fragment, marker and hashes kept. A git dependency gets the hash of its
 * archive when hashes are in force: pip takes no file without one then.
 */
function offlineLine({ planned, artifact, bundlePath }: Redirected): string {
  const { requirement } = planned.line;
  if (requirement.kind === 'pypi') throw new Error('A release stays as it is');
  const { name, extras, marker, url } = requirement;
  const path = bundlePath.slice('deps/'.length).split('/').map(encodeURIComponent).join('/');
  const hash = url.indexOf('#');
  const words = [
    `${name}${extras.length > 0 ? `[${extras.join(',')}]` : ''} @ file://\${STOWAGE_DEPS}/${path}${hash < 0 ? '' : fragment(url.slice(hash + 1))}`,
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
