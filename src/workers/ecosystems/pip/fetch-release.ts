import { InvalidChecksum, InvalidRequestData } from '../../../domain/errors.ts';
import { canonicalName } from '../../../domain/packages/python-project-name.ts';
import type { Artifact, ExpectedDigest, HashAlgorithm } from '../../downloads/artifact-store.ts';
import type { ResolveContext } from '../ecosystem.ts';
import { isVersionOf } from './file-name.ts';
import { indexFilePath } from './layout.ts';
import { type IndexFile, readProject } from './package-index.ts';
import type { PlannedRelease } from './plan.ts';
import { normalVersion } from './project-version.ts';
import { inspectSdist } from './sdist.ts';
import { filesOfVersion, type SelectedFile, selectFiles } from './select-file.ts';
import type { Upstream } from './upstream.ts';

export interface FetchedFile extends SelectedFile {
  artifact: Artifact;
}

type Fetching = Pick<ResolveContext, 'artifacts' | 'request' | 'settings' | 'temporaryDirectory' | 'signal'>;

/**
 * The files of a pinned release: found in the index, downloaded and verified (prefetch.md 5.1, 5.3).
 *
 * The files of a version are remembered once some were found, so that a repeated request asks no index. The price: what
 * is uploaded for a version (or yanked) afterwards is not seen, unless what is known does not satisfy the request.
 */
export async function fetchRelease(
  context: Fetching,
  upstream: Upstream,
  planned: PlannedRelease,
): Promise<FetchedFile[]> {
  const { artifacts, request } = context;
  const { name, version, wheels, expected } = planned;
  const selection = { name, version, wheels, hashes: request.rules === 'native' ? expected : [] };
  const lookUp = async () => {
    const files = await readProject(artifacts, upstream, name);
    return filesOfVersion(files, name, (one) => isVersionOf(one, version));
  };
  const ahead: { files?: Promise<FetchedFile[]> } = {};
  const remembering = artifacts.derive({
    key: `pip-candidates-1:${upstream.index}:${canonicalName(name)}==${normalVersion(version) ?? version}`,
    url: `${upstream.index}${canonicalName(name)}/`,
    produce: async () => {
      const files = await lookUp();
      // Throws when there is nothing to remember.
      const selected = selectFiles(files, selection);
      // Not only when the version is remembered: that takes as long as a download.
      ahead.files = fetchFiles(context, upstream, planned, selected);
      ahead.files.catch(() => undefined);
      return { content: Buffer.from(JSON.stringify(files)), metadata: files };
    },
  });
  const known = await remembering.catch(async (error: unknown) => {
    await ahead.files?.catch(() => undefined);
    throw error;
  });
  if (ahead.files) return await ahead.files;
  let selected: SelectedFile[];
  try {
    selected = selectFiles(known.metadata as IndexFile[], selection);
  } catch (error) {
    if (!known.cached || !(error instanceof InvalidRequestData)) throw error;
    selected = selectFiles(await lookUp(), selection);
  }
  return await fetchFiles(context, upstream, planned, selected);
}

async function fetchFiles(
  context: Fetching,
  upstream: Upstream,
  planned: PlannedRelease,
  selected: readonly SelectedFile[],
): Promise<FetchedFile[]> {
  return await Promise.all(
    selected.map(async (one) => ({ ...one, artifact: await fetchFile(context, upstream, planned, one) })),
  );
}

async function fetchFile(
  context: Fetching,
  upstream: Upstream,
  { expected, name }: PlannedRelease,
  { file, distribution }: SelectedFile,
): Promise<Artifact> {
  const fromIndex = file.digests.slice(0, 1);
  const record = [...new Set([...fromIndex, ...expected].map(({ algorithm }) => algorithm))];
  const known = fromIndex.length > 0 ? fromIndex : expected;
  const path = indexFilePath(distribution.name, file.fileName);
  const artifact = await context.artifacts
    .fetch({
      key: `pip:${upstream.index}:${canonicalName(name)}/${file.fileName}`,
      url: file.url,
      upstream: { url: file.url, headers: upstream.headersFor(file.url) },
      expected: known,
      fileName: file.fileName,
      record,
      ...(distribution.kind === 'sdist'
        ? { inspect: inspectSdist({ ...context, path, fileName: file.fileName }) }
        : {}),
    })
    .catch((error: unknown) => {
      throw known === expected ? asHashMismatch(error, file.fileName) : error;
    });
  assertMatches(artifact, expected, file.fileName);
  return withDigests(artifact, record);
}

/** Only what this request names: the store may know more digests, from others, and a report may not depend on them. */
export function withDigests(artifact: Artifact, algorithms: readonly HashAlgorithm[]): Artifact {
  const { sha256 } = artifact.digests;
  const named = algorithms.flatMap((algorithm) => {
    const hex = artifact.digests[algorithm];
    return hex === undefined ? [] : [[algorithm, hex] as const];
  });
  return { ...artifact, digests: { ...Object.fromEntries(named), sha256 } };
}

/** Of a requirement's hashes one must match. Throws InvalidChecksum. */
function assertMatches(artifact: Artifact, expected: readonly ExpectedDigest[], fileName: string): void {
  if (expected.length === 0) return;
  if (expected.some(({ algorithm, hex }) => artifact.digests[algorithm] === hex)) return;
  const algorithms = [...new Set(expected.map(({ algorithm }) => algorithm))];
  throw hashMismatch(fileName, {
    file: fileName,
    expected: expected.map(({ algorithm, hex }) => `${algorithm}:${hex}`).join(', '),
    actual: algorithms
      .map((algorithm: HashAlgorithm) => `${algorithm}:${artifact.digests[algorithm]}`)
      .join(', '),
  });
}

/** The store's own message, in the words of the contract. */
export function asHashMismatch(error: unknown, fileName: string): unknown {
  if (!(error instanceof InvalidChecksum) || error.code !== 'checksum-mismatch') return error;
  return hashMismatch(fileName, error.details, error);
}

function hashMismatch(fileName: string, details: Record<string, unknown>, cause?: unknown): InvalidChecksum {
  return new InvalidChecksum(
    'checksum-mismatch',
    `Failed to verify checksum of ${fileName} against any of the provided hashes`,
    {
      details,
      cause,
      ...(typeof details.expected === 'string' && {
        hint: `Expected ${details.expected}, but computed ${String(details.actual)}.`,
      }),
    },
  );
}
