import { createReadStream, existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { readPublicKey } from '../../domain/bundles/signing.ts';
import { ownKeys } from '../../domain/bundles/signing-keys.ts';
import { readUntrustedManifest } from '../../domain/bundles/untrusted-manifest.ts';
import { type Problem, type ProblemList, verifyArchive } from '../../domain/bundles/verify-bundle.ts';
import {
  type SubjectDigests,
  type VerificationKey,
  type VerifiedProvenance,
  type VerifiedSbom,
  verifyProvenance,
  verifySbom,
} from '../../domain/bundles/verify-documents.ts';
import { readSettings } from '../../domain/config.ts';
import { InvalidFileFormat, InvalidInputError } from '../../domain/errors.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import { digestOf } from '../../domain/storage/digest-of.ts';
import { outputFiles } from '../prefetch/outputs.ts';

export interface VerifyOptions {
  manifest?: string;
  key?: string;
  json?: boolean;
}

/** What `stowage verify` found; `--json` prints it as it is. */
export interface VerificationReport {
  ok: boolean;
  archive: { file: string; digest: Digest; size: number };
  tar: { digest: Digest; size: number };
  manifest: { file: string; digest: Digest; entries: number };
  /** null: there is none beside the bundle. */
  sbom: ({ file: string; digest: Digest } & VerifiedSbom) | null;
  provenance: ({ file: string } & VerifiedProvenance) | null;
  problemCount: number;
  /** The first ones. */
  problems: Problem[];
}

/**
 * Compares a bundle with what lies beside it, offline: manifest always, SBOM and provenance when they are there. Throws
 * DomainError when that cannot even begin.
 *
 * @param onProgress bytes of the archive that were read, and all of them
 */
export async function verifyFile(
  file: string,
  options: VerifyOptions,
  signal: AbortSignal,
  onProgress: (bytes: number, total: number) => void,
): Promise<VerificationReport> {
  const files = outputFiles(file);
  const manifestFile = options.manifest ?? files.manifest;
  const keys = await keysOf(options);
  const size = await archiveSize(files.archive);
  const manifestText = await readManifestFile(manifestFile);
  const manifest = readUntrustedManifest(manifestText);
  const manifestDigest = digestOf(manifestText);

  const stream = createReadStream(files.archive, { highWaterMark: 1024 * 1024 });
  const verified = await verifyArchive(followed(stream, size, onProgress), manifest, signal).finally(() =>
    stream.destroy(),
  );
  const { problems } = verified;
  const isCompressed = verified.archive.digest !== verified.tar.digest;
  const subjects: SubjectDigests = {
    'bundle.manifest.json': manifestDigest,
    'bundle.tar': verified.tar.digest,
    ...(isCompressed && { 'bundle.tar.gz': verified.archive.digest }),
  };
  const sbom = await sbomBeside(
    files.sbom,
    (text) => verifySbom(text, manifest, manifestDigest, problems),
    problems,
  );
  if (sbom) {
    const name = sbom.format === 'SPDX 2.3' ? 'bundle.sbom.spdx.json' : 'bundle.sbom.cyclonedx.json';
    subjects[name] = sbom.digest;
  }
  const provenance = await provenanceBeside(files.provenance, subjects, keys, problems);
  return {
    ok: problems.count === 0,
    archive: { file: files.archive, ...verified.archive },
    tar: verified.tar,
    manifest: { file: manifestFile, digest: manifestDigest, entries: manifest.entries.length },
    sbom,
    provenance,
    problemCount: problems.count,
    problems: problems.shown,
  };
}

async function archiveSize(path: string): Promise<number> {
  const found = await stat(path);
  if (!found.isFile()) throw new InvalidInputError(`${path} is no file`);
  return found.size;
}

async function readManifestFile(path: string): Promise<string> {
  if (!existsSync(path)) {
    throw new InvalidInputError(`There is no manifest ${path} beside the bundle`, {
      hint: 'Name it with --manifest FILE.',
    });
  }
  return await readDocument(path, 'manifest');
}

async function sbomBeside(
  file: string,
  verify: (text: string) => VerifiedSbom,
  problems: ProblemList,
): Promise<VerificationReport['sbom']> {
  if (!existsSync(file)) return null;
  return await orProblem('SBOM', problems, async () => {
    const text = await readDocument(file, 'SBOM');
    return { file, digest: digestOf(text), ...verify(text) };
  });
}

async function provenanceBeside(
  file: string,
  subjects: SubjectDigests,
  keys: readonly VerificationKey[],
  problems: ProblemList,
): Promise<VerificationReport['provenance']> {
  if (!existsSync(file)) {
    if (keys.some(({ isRequired }) => isRequired))
      problems.add('checksum-mismatch', 'provenance', 'is missing, and a key was given', file);
    return null;
  }
  return await orProblem('provenance', problems, async () => {
    const text = await readDocument(file, 'provenance');
    const [newest = null] = keys;
    // One that was replaced verifies what it has signed.
    const key = keys.find(({ keyId }) => text.includes(keyId)) ?? newest;
    return { file, ...verifyProvenance(text, subjects, key, problems) };
  });
}

/** A document that cannot be read is one of the things that are wrong, not the end of the verification. */
async function orProblem<T>(
  name: string,
  problems: ProblemList,
  verify: () => Promise<T>,
): Promise<T | null> {
  try {
    return await verify();
  } catch (error) {
    if (!(error instanceof InvalidFileFormat)) throw error;
    problems.add(error.code, name, `cannot be used: ${error.message}`);
    return null;
  }
}

const LARGEST_DOCUMENT = 256 * 1024 * 1024;

async function readDocument(path: string, name: string): Promise<string> {
  const { size } = await stat(path);
  if (size > LARGEST_DOCUMENT) {
    throw new InvalidFileFormat(
      'unexpected-format',
      `The ${name} has ${size} bytes, more than ${LARGEST_DOCUMENT}`,
    );
  }
  const bytes = await readFile(path);
  const text = bytes.toString('utf8');
  if (!Buffer.from(text).equals(bytes)) {
    throw new InvalidFileFormat('unexpected-format', `The ${name} is not UTF-8`);
  }
  return text;
}

async function keysOf({ key }: VerifyOptions): Promise<VerificationKey[]> {
  if (key !== undefined) return [{ ...readPublicKey(await readFile(key, 'utf8')), isRequired: true }];
  const own = await ownKeys(readSettings());
  return own.map((one) => ({ ...one, isRequired: false }));
}

async function* followed(
  chunks: AsyncIterable<Buffer>,
  total: number,
  onProgress: (bytes: number, total: number) => void,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    onProgress(bytes, total);
    yield chunk;
  }
}
