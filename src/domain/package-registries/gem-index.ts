import { createHash } from 'node:crypto';
import type { BundledFile, BundledFiles } from './bundled-files.ts';
import type { FileFacts } from './file-facts.ts';
import { type GemFacts, gemFile } from './gem-file.ts';

export interface GemVersion {
  version: string;
  file: BundledFile;
}

/** The gems of a request (prefetch.md 7.1). */
export interface Gems {
  /** Sorted by name. */
  byName: ReadonlyMap<string, readonly GemVersion[]>;
  byFileName: ReadonlyMap<string, BundledFile>;
}

const PLACE = /^deps\/rubygems\/([\w.-]+)\/([^/]+)\.gem$/;

export function arrangeGems(files: BundledFiles): Gems {
  const byName = new Map<string, GemVersion[]>();
  const byFileName = new Map<string, BundledFile>();
  for (const file of files.values()) {
    const [, name, stem] = PLACE.exec(file.path) ?? [];
    if (name === undefined || stem === undefined || !stem.startsWith(`${name}-`)) continue;
    byFileName.set(`${stem}.gem`, file);
    const version = stem.slice(name.length + 1);
    byName.set(name, [...(byName.get(name) ?? []), { version, file }]);
  }
  return { byName: new Map([...byName].sort(([a], [b]) => (a < b ? -1 : 1))), byFileName };
}

/** `/names` of the compact index. */
export function gemNames({ byName }: Gems): string {
  return `---\n${[...byName.keys()].map((name) => `${name}\n`).join('')}`;
}

/** `/versions`: every gem with the MD5 of its {@link gemInfo}. */
export async function gemVersions({ byName }: Gems, facts: FileFacts): Promise<string> {
  const all = [...byName.values()].flat();
  const known = await facts.of(
    gemFile,
    all.map(({ file }) => file.digest),
  );
  const lines = [...byName].map(([name, versions]) => {
    const md5 = createHash('md5').update(infoText(versions, known)).digest('hex');
    return `${name} ${versions.map(({ version }) => version).join(',')} ${md5}\n`;
  });
  return `created_at: ${CREATED_AT}\n---\n${lines.join('')}`;
}

/** Bundles have no time but that of their source: the same for all, so that the text depends on the gems only. */
const CREATED_AT = '2000-01-01T00:00:00Z';

/** `/info/<name>`: the versions, their dependencies and digests. */
export async function gemInfo(versions: readonly GemVersion[], facts: FileFacts): Promise<string> {
  const digests = versions.map(({ file }) => file.digest);
  return infoText(versions, await facts.of(gemFile, digests));
}

function infoText(versions: readonly GemVersion[], known: ReadonlyMap<string, GemFacts>): string {
  const lines = versions.map(({ version, file }) => {
    const { dependencies, requiredRuby, requiredRubygems } = known.get(file.digest)!;
    const needs = dependencies.map(({ name, requirements }) => `${name}:${requirements.join('&')}`);
    const about = [
      `checksum:${file.digest.slice('sha256:'.length)}`,
      ...limit('ruby', requiredRuby),
      ...limit('rubygems', requiredRubygems),
    ];
    return `${version} ${needs.join(',')}|${about.join(',')}\n`;
  });
  return `---\n${lines.join('')}`;
}

function limit(name: string, requirements: readonly string[]): string[] {
  const text = requirements.join('&');
  return text === '' || text === '>= 0' ? [] : [`${name}:${text}`];
}
