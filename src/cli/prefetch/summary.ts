import { basename, dirname, relative } from 'node:path';
import type { RequestOutcome } from '../client/bundle-requests.ts';
import type { OutputFiles } from './outputs.ts';
import { counted, formatBytes, formatSeconds } from './quantities.ts';

/** What was made and what to do with it, for people. */
export function summaryLines(outcome: RequestOutcome, files: OutputFiles, elapsedMs: number): string[] {
  const bundle = outcome.bundle!;
  const packages = [
    counted(outcome.packagesCount ?? 0, 'package'),
    counted(outcome.dependenciesCount ?? 0, 'dependency', 'dependencies'),
    counted(bundle.entries, 'file'),
  ];
  const archive = displayPath(files.archive);
  return [
    `bundle      ${archive} (${formatBytes(bundle.archiveSize)})`,
    `contains    ${packages.join(', ')}`,
    ...(outcome.commit === null ? [] : [`commit      ${outcome.commit}`]),
    `manifest    ${bundle.manifestDigest}`,
    ...(bundle.reproducibleDigest === null ? [] : [`without git ${bundle.reproducibleDigest}`]),
    `tar         ${bundle.tarDigest}`,
    `archive     ${bundle.archiveDigest}`,
    `beside it   ${[files.sbom, files.manifest, files.provenance, files.environment].map((file) => basename(file)).join(', ')}`,
    `time        ${formatSeconds(elapsedMs)}`,
    '',
    'To build offline:',
    `  mkdir build && tar xzf ${shellQuoted(archive)} -C build && cd build`,
    '  [ ! -d config ] || cp -R config/. .',
    '  . ./stowage.env',
    '  cd app    # npm ci --offline, pip install, go build …',
  ];
}

/** The same for programs. */
export function resultObject(
  outcome: RequestOutcome,
  files: OutputFiles,
  elapsedMs: number,
): Record<string, unknown> {
  const { number, repository, commit, packagesCount, dependenciesCount, bundle } = outcome;
  return {
    number,
    repository,
    commit,
    packages: packagesCount,
    dependencies: dependenciesCount,
    bundle,
    files,
    milliseconds: Math.round(elapsedMs),
  };
}

function displayPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') || dirname(short) === path ? path : short;
}

function shellQuoted(text: string): string {
  return /^[\w./+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
