import { constants } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DomainError, InvalidInputError } from '../../domain/errors.ts';
import type { BundleInfo } from '../client/bundle-requests.ts';
import { type Downloaded, download } from '../client/download.ts';
import type { StowageClient } from '../client/stowage-client.ts';

/** The files that one prefetch leaves, all in one directory. */
export interface OutputFiles {
  archive: string;
  sbom: string;
  manifest: string;
  provenance: string;
  environment: string;
}

export type SbomFormat = 'cyclonedx-1.6' | 'spdx-2.3';

/** The archive's name and those of the files beside it. */
export function outputFiles(archive: string): OutputFiles {
  const path = resolve(archive);
  const base = path.replace(/\.(tar\.gz|tgz|tar)$/, '');
  return {
    archive: path,
    sbom: `${base}.sbom.json`,
    manifest: `${base}.manifest.json`,
    provenance: `${base}.provenance.jsonl`,
    environment: join(dirname(path), 'stowage.env'),
  };
}

/** Before minutes of work: is there a directory to write to? Throws DomainError. */
export async function requireWritable(archive: string): Promise<void> {
  const directory = dirname(resolve(archive));
  const isDirectory = await stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isDirectory) throw new InvalidInputError(`There is no directory ${directory} to write the bundle to`);
  const target = await stat(archive).catch(() => null);
  if (target?.isDirectory())
    throw new InvalidInputError(`${archive} is a directory; name a file with --output`);
  await access(directory, constants.W_OK).catch((cause: unknown) => {
    throw new InvalidInputError(`No permission to write to ${directory}`, { cause });
  });
}

/**
 * Downloads everything next to its final place and then gives all files their names, the archive last: where it is, the
 * others are.
 */
export async function writeOutputs(
  client: StowageClient,
  number: number,
  bundle: BundleInfo,
  files: OutputFiles,
  options: {
    sbomFormat: SbomFormat;
    signal: AbortSignal;
    onProgress: (bytes: number, total: number | null) => void;
  },
): Promise<void> {
  const { sbomFormat, signal, onProgress } = options;
  const base = `/bundle-requests/${number}`;
  const wanted: [string, string][] = [
    [`${base}/environment`, files.environment],
    [`${base}/provenance`, files.provenance],
    [`${base}/manifest`, files.manifest],
    [`${base}/sbom?format=${sbomFormat}`, files.sbom],
  ];
  const done: Downloaded[] = [];
  try {
    const archive = await download(client, {
      path: `${base}/archive`,
      file: files.archive,
      signal,
      onProgress: (bytes, total) => onProgress(bytes, total ?? bundle.archiveSize),
    });
    done.push(archive);
    requireSame('archive', bundle.archiveDigest, archive.digest);
    for (const [path, file] of wanted) done.unshift(await download(client, { path, file, signal }));
    for (const file of done) await file.keep();
    await syncDirectory(dirname(files.archive));
  } catch (error) {
    for (const file of done) await file.discard();
    throw error;
  }
}

function requireSame(name: string, expected: string, actual: string): void {
  if (bareDigest(expected) === bareDigest(actual)) return;
  throw new DomainError(
    'checksum-mismatch',
    `The ${name} has the digest ${actual}, but the request's is ${expected}`,
    {
      details: { expected, actual },
    },
  );
}

function bareDigest(digest: string): string {
  return digest.replace(/^sha256:/, '');
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().catch(() => undefined);
  await handle.close();
}
